//! Numbers about a log, for metrics and for people.

use crate::model::{Incarnation, Sequence};

/// What a log is doing and has done since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LogStatus {
    /// This start.
    pub incarnation: Incarnation,
    /// Highest frame committed.
    pub committed: Sequence,
    /// Frames written.
    pub frames: u64,
    /// Entries in those frames.
    pub entries: u64,
    /// Bytes of those frames.
    pub bytes: u64,
    /// Flushes of segments that frames waited for.
    pub flushes: u64,
    /// Writes of frames in flight.
    pub writes_in_flight: usize,
    /// Frames closed and waiting for their write.
    pub frames_queued: usize,
    /// Segments ready for use.
    pub segments_ready: usize,
    /// Segments that hold frames.
    pub segments_used: usize,
    /// Segments given back since the log was opened.
    pub segments_recycled: u64,
    /// Times that the log went on in another segment.
    pub rolls: u64,
    /// Of those, times that the segment was not ready: the log had to wait, or writes unwritten space.
    pub rolls_dry: u64,
    /// Checkpoints made.
    pub checkpoints: u64,
    /// Appends refused because the device did not keep up.
    pub busy: u64,
    /// Store segments written.
    pub regrouped: u64,
    /// Bytes of batches moved into them.
    pub regrouped_bytes: u64,
    /// Batches read from memory.
    pub cache_hits: u64,
    /// Batches read from the disk.
    pub cache_misses: u64,
    /// Bytes of memory that the tail cache holds.
    pub cache_bytes: usize,
    /// Bytes of memory that hold what was read ahead.
    pub ahead_bytes: usize,
    /// Bytes of batches that are live.
    pub live_bytes: u64,
}

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RecoveryReport {
    /// The log was made just now.
    pub created: bool,
    /// Last frame of the checkpoint; 0 without one.
    pub checkpoint: Sequence,
    /// Last frame found.
    pub last: Sequence,
    /// Frames read behind the checkpoint.
    pub frames: u64,
    /// Bytes of those frames.
    pub bytes: u64,
    /// Where the log ends there was something: the torn tail of the last start, or a leftover.
    pub torn_tail: bool,
    /// What was given up because the operator accepted damage.
    pub damage_accepted: Option<String>,
}
