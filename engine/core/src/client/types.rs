//! What the client API answers.

use crate::model::{Offset, ProducerEpoch, RecordSequence};

/// Where an appended batch is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Appended {
    /// Offset of the batch's first record.
    pub base: Offset,
    /// Whether the batch had been appended before: nothing was written, and `base` is that of the first time.
    pub duplicate: bool,
}

/// The committed records of a partition.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bounds {
    /// The first offset that can be read.
    pub start: Offset,
    /// The offset behind the last committed record.
    pub end: Offset,
}

/// How far a producer has got in a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProducerPosition {
    /// The producer's current epoch.
    pub epoch: ProducerEpoch,
    /// The sequence number that its next batch in this epoch must have.
    pub next: RecordSequence,
}
