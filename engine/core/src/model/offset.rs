//! Offsets count records, positions count bytes.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// Position of one record in one partition. Unit: records since the partition began; dense, never
/// reused. Bytes are [`Position`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Offset(pub u64);

/// A number of records.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct RecordCount(pub u64);

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct ByteCount(pub u64);

/// A byte of one segment file, counted from its beginning.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Position(pub u32);

impl Add<RecordCount> for Offset {
    type Output = Self;
    fn add(self, count: RecordCount) -> Self {
        Self(self.0 + count.0)
    }
}

impl AddAssign<RecordCount> for Offset {
    fn add_assign(&mut self, count: RecordCount) {
        self.0 += count.0;
    }
}

impl Sub for Offset {
    type Output = RecordCount;
    fn sub(self, earlier: Self) -> RecordCount {
        debug_assert!(self >= earlier);
        RecordCount(self.0 - earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RecordCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
