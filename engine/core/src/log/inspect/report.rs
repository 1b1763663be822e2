//! What is told of a log.

use std::path::PathBuf;

use super::Findings;
use crate::log::format::{CheckpointHeader, Superblock};
use crate::model::{Generation, Incarnation, Position, SegmentId, Sequence};

/// What the files of a log say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogView {
    /// Its folder.
    pub folder: PathBuf,
    /// `None` if the log was not made yet, or if no block of the superblock reads: then there is a finding.
    pub superblock: Option<SuperblockView>,
    /// Its checkpoint files.
    pub checkpoints: Vec<CheckpointView>,
    /// By id: those in use and the files of others.
    pub segments: Vec<SegmentView>,
    /// `None` if what is before the end does not read.
    pub end: Option<LogEnd>,
    /// Bytes of batches that can be read.
    pub live_bytes: u64,
    /// The damage met.
    pub findings: Findings,
}

/// What a check of a log found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogCheck {
    /// What the files say, and all damage.
    pub view: LogView,
    /// What was read and had its checksums.
    pub checked: Checked,
}

impl LogCheck {
    /// Whether everything is what was written. A torn tail is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.view.findings.is_empty()
    }
}

/// The superblock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SuperblockView {
    /// The block in force.
    pub newest: Superblock,
    /// The other one, if it is whole.
    pub older: Option<Superblock>,
}

/// A checkpoint file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckpointView {
    /// File `checkpoint-0` or `checkpoint-1`.
    pub file: u32,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Its header, if it reads. Without a checkpoint in it, there is none.
    pub header: Option<CheckpointHeader>,
    /// The newest block of the superblock names it.
    pub in_force: bool,
}

/// What a segment file is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SegmentUse {
    /// The log goes on here.
    Open,
    /// It has ended.
    Sealed,
    /// It holds batches that were taken over from others; its frames are numbered by themselves.
    Store,
    /// It holds nothing; ready, waiting, or left by an earlier life.
    Free,
}

/// The footer of a segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FooterView {
    /// There is none, or none that counts yet.
    None,
    /// It reads.
    Sound {
        /// Batches that it names.
        batches: u64,
    },
    /// It was durable and does not read.
    Unsound {
        /// Why.
        what: String,
    },
}

/// A segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SegmentView {
    /// The file.
    pub segment: SegmentId,
    /// Its life; `None` for a free file whose header does not read.
    pub generation: Option<Generation>,
    /// What it is used for.
    pub state: SegmentUse,
    /// First frame in it; 0 if there is none.
    pub first: Sequence,
    /// Last frame in it; 0 if there is none.
    pub last: Sequence,
    /// Number of frames.
    pub frames: u64,
    /// Batches that the index names; `None` if that does not read.
    pub batches: Option<u64>,
    /// Bytes of its frames.
    pub bytes: u64,
    /// Bytes of its batches that can be read.
    pub live_bytes: u64,
    /// Bytes of the file; `None` if it is missing.
    pub file_bytes: Option<u64>,
    /// Its footer.
    pub footer: FooterView,
}

/// Where a log ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogEnd {
    /// Last frame.
    pub sequence: Sequence,
    /// Segment in which the next one goes.
    pub segment: SegmentId,
    /// Its life.
    pub generation: Generation,
    /// Where.
    pub position: Position,
    /// Highest incarnation of the frames behind the checkpoint; 0 without one.
    pub incarnation: Incarnation,
    /// Frames behind the checkpoint.
    pub frames: u64,
    /// Bytes of those frames.
    pub bytes: u64,
    /// What lies there.
    pub tail: Tail,
}

/// What lies behind the last frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tail {
    /// Nothing.
    Clean,
    /// The leftover of an earlier time.
    Leftover,
    /// What the last start had not finished writing when it ended, and nobody was told of.
    Torn {
        /// What of it does not fit.
        what: String,
    },
    /// Frames that were acknowledged and do not read: there is a finding.
    Damaged,
}

/// What was read and had its checksums.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Checked {
    /// Segments in use.
    pub segments: u64,
    /// Whole frames.
    pub frames: u64,
    /// Entries of those.
    pub entries: u64,
    /// Payloads of those that have their checksum. Bytes.
    pub payload_bytes: u64,
    /// Footers that say what the frames say.
    pub footers: u64,
}

/// One frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameView {
    /// Its place in the log's order.
    pub sequence: Sequence,
    /// The segment.
    pub segment: SegmentId,
    /// Where in it.
    pub position: Position,
    /// Bytes.
    pub length: u32,
    /// The start that wrote it.
    pub incarnation: Incarnation,
    /// Highest frame known durable when it was built.
    pub durable_up_to: Sequence,
    /// Entries.
    pub entries: u32,
    /// Of those, batches; `None` if the directory does not read.
    pub batches: Option<u32>,
    /// Bytes of payloads; `None` if the directory does not read.
    pub payload_bytes: Option<u64>,
}
