//! Wall-clock time as records carry it.

use super::Offset;

/// Milliseconds since 1970-01-01T00:00:00Z, by the wall clock of whoever wrote it. Orders nothing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Timestamp(pub i64);

/// What a search by time looks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeSearch {
    /// The first record, in the order of offsets, that has this timestamp or a later one. Timestamps need not rise.
    Since(Timestamp),
    /// The record with the largest timestamp; of several, the first.
    Largest,
}

/// A record that was found by its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StampedOffset {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
}
