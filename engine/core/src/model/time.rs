//! Wall-clock time as records carry it.

/// Milliseconds since 1970-01-01T00:00:00Z, by the wall clock of whoever wrote it. Orders nothing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Timestamp(pub i64);
