//! How a log is set up.

use std::time::Duration;

use super::format::LogOwner;
use crate::limits::{
    BLOCK_SIZE, CHECKPOINT_INTERVAL_DEFAULT, FRAME_SIZE_MAX, FRAME_SIZE_TARGET, READ_AHEAD_BYTES_DEFAULT,
    REGROUP_AGE_DEFAULT, REGROUP_SHARE_DEFAULT, RUN_SIZE_MIN_DEFAULT, SEGMENT_POOL_DEFAULT,
    SEGMENT_SIZE_DEFAULT, SEGMENT_SIZE_MAX, SEGMENT_SIZE_MIN, TAIL_CACHE_SIZE_DEFAULT,
    WRITES_IN_FLIGHT_DEFAULT, WRITES_IN_FLIGHT_MAX,
};

/// How writes of frames become durable. Which one is faster depends on the device.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FlushMethod {
    /// Each write is durable when it completes (`O_DSYNC`).
    WriteThrough,
    /// Writes, and then a flush that covers those completed before it was issued (`fdatasync`).
    #[default]
    Flush,
}

/// How a log is set up. All but `segment_size` may change from one start to the next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogOptions {
    /// Bytes of a segment file; a multiple of the block size, [`SEGMENT_SIZE_MIN`] to [`SEGMENT_SIZE_MAX`].
    /// Decides for a new log only; an existing one keeps its own.
    pub segment_size: u32,
    /// Segments kept ready ahead of use; at least 1.
    pub pool_target: usize,
    /// How writes become durable.
    pub flush: FlushMethod,
    /// Bytes of log between two checkpoints.
    pub checkpoint_interval: u64,
    /// Bytes of memory that the tail cache may hold.
    pub cache_bytes: usize,
    /// Bytes of memory for what is read ahead for those who go through a partition from the disk; 0: nothing is.
    pub read_ahead_bytes: usize,
    /// Bytes at which the open frame is closed while earlier writes are in flight.
    pub frame_size_target: usize,
    /// Largest frame in bytes; at most [`FRAME_SIZE_MAX`], and at most half a segment.
    pub frame_size_max: usize,
    /// Writes of frames in flight at once; 1 to [`WRITES_IN_FLIGHT_MAX`].
    pub writes_in_flight: usize,
    /// Share of the time in which regrouping uses the device while there is other work. Percent, 1 to 100.
    pub regroup_share: u32,
    /// Age from which batches that lie scattered in a segment are moved together. Those that somebody reads from the disk
    /// are before.
    pub regroup_age: Duration,
    /// Bytes of one stream from which on batches that lie one behind the other are not scattered.
    pub run_size_min: usize,
    /// Go on where durable state says that frames were acknowledged which can no longer be read, and so lose
    /// them. For an operator who has read the refusal.
    pub accept_damage: bool,
    /// What the log belongs to; `None`: nothing, it is a log by itself.
    pub home: Option<LogHome>,
}

/// What a log belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogHome {
    /// Whose it is. Another's log is refused; one that has no owner is taken over.
    pub owner: LogOwner,
    /// All logs of the data folder have been made: one that is not there was lost, and is not made anew.
    pub complete: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_size: SEGMENT_SIZE_DEFAULT,
            pool_target: SEGMENT_POOL_DEFAULT,
            flush: FlushMethod::default(),
            checkpoint_interval: CHECKPOINT_INTERVAL_DEFAULT,
            cache_bytes: TAIL_CACHE_SIZE_DEFAULT,
            read_ahead_bytes: READ_AHEAD_BYTES_DEFAULT,
            frame_size_target: FRAME_SIZE_TARGET,
            frame_size_max: FRAME_SIZE_MAX,
            writes_in_flight: WRITES_IN_FLIGHT_DEFAULT,
            regroup_share: REGROUP_SHARE_DEFAULT,
            regroup_age: REGROUP_AGE_DEFAULT,
            run_size_min: RUN_SIZE_MIN_DEFAULT,
            accept_damage: false,
            home: None,
        }
    }
}

impl LogOptions {
    /// What contradicts the limits documented with each field, if anything.
    #[must_use]
    pub fn contradiction(&self) -> Option<&'static str> {
        let size = self.segment_size as usize;
        if !size.is_multiple_of(BLOCK_SIZE)
            || !(SEGMENT_SIZE_MIN..=SEGMENT_SIZE_MAX).contains(&self.segment_size)
        {
            return Some("the segment size is out of range or no multiple of a block");
        }
        if self.frame_size_max > FRAME_SIZE_MAX || self.frame_size_max > size / 2 {
            return Some("the largest frame exceeds its limit or half a segment");
        }
        if self.frame_size_max < 2 * BLOCK_SIZE || !self.frame_size_max.is_multiple_of(BLOCK_SIZE) {
            return Some("the largest frame is smaller than two blocks or no multiple of a block");
        }
        if self.frame_size_target < BLOCK_SIZE || self.frame_size_target > self.frame_size_max {
            return Some("the target of a frame is smaller than a block or larger than the largest frame");
        }
        if !(1..=WRITES_IN_FLIGHT_MAX).contains(&self.writes_in_flight) {
            return Some("the number of writes in flight is out of range");
        }
        if !(1..=100).contains(&self.regroup_share) {
            return Some("the share of regrouping is out of range");
        }
        if self.pool_target == 0 {
            return Some("the pool of segments is empty");
        }
        None
    }
}
