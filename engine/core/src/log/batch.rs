//! What a read returns.

use std::fmt;
use std::ops::{Deref, Range};
use std::rc::Rc;

use crate::io::{Buffer, Runtime};
use crate::model::{Offset, RecordCount, Timestamp};

/// Bytes that share a buffer of the runtime: the one that a frame was written from, or that a read filled.
///
/// Cheap to clone. As long as one exists, its whole buffer stays in memory: see [`Slice::charge`].
pub struct Slice<R: Runtime> {
    buffer: Rc<R::Buffer>,
    range: Range<usize>,
}

impl<R: Runtime> Slice<R> {
    /// `range` of `buffer`.
    ///
    /// # Panics
    /// If the range lies outside the buffer.
    #[must_use]
    pub fn new(buffer: Rc<R::Buffer>, range: Range<usize>) -> Self {
        assert!(buffer.bytes().get(range.clone()).is_some(), "a slice lies inside its buffer");
        Self { buffer, range }
    }

    /// Bytes of memory that this slice keeps alive.
    #[must_use]
    pub fn charge(&self) -> usize {
        self.buffer.bytes().len()
    }
}

impl<R: Runtime> Deref for Slice<R> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.buffer.bytes()[self.range.clone()]
    }
}

impl<R: Runtime> Clone for Slice<R> {
    fn clone(&self) -> Self {
        Self { buffer: Rc::clone(&self.buffer), range: self.range.clone() }
    }
}

impl<R: Runtime> fmt::Debug for Slice<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slice({} bytes)", self.range.len())
    }
}

/// Bounds of one stream, as committed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StreamBounds {
    /// First offset kept.
    pub start: Offset,
    /// Offset behind the last one.
    pub end: Offset,
}

/// One batch, as it was appended.
pub struct ReadBatch<R: Runtime> {
    /// Offset of its first record; in an outbox, the batch's own number.
    pub base: Offset,
    /// Offset behind its last record. What compaction has left holds fewer records than there are offsets.
    pub end: Offset,
    /// Records in it.
    pub count: RecordCount,
    /// How it is encoded: 0 native.
    pub encoding: u8,
    /// Subject of its entry: the partition; in an outbox, the destination partition.
    pub subject: u64,
    /// Owner of its entry: the producer; in an outbox, the target shard.
    pub owner: u64,
    /// Epoch of its entry.
    pub epoch: u16,
    /// Sequence of its entry.
    pub sequence: u32,
    /// Largest timestamp in it.
    pub timestamp_max: Timestamp,
    /// The batch.
    pub bytes: Slice<R>,
}

impl<R: Runtime> Clone for ReadBatch<R> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), ..*self }
    }
}

impl<R: Runtime> fmt::Debug for ReadBatch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBatch")
            .field("base", &self.base)
            .field("count", &self.count)
            .field("subject", &self.subject)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
