//! What the index keeps of a batch: its entry, with a position in its segment.

use crate::log::format::{Entry, EntryKind};
use crate::model::{ShardId, StreamId};

/// An entry whose `position` is counted from the segment's beginning.
pub(in crate::log) type Row = Entry;

/// The stream that `entry` adds a batch to, if it does.
#[inline]
pub(in crate::log) fn stream_of(entry: &Entry) -> Option<StreamId> {
    match entry.known_kind()? {
        EntryKind::Batch | EntryKind::CompactedBatch => Some(StreamId(entry.subject)),
        EntryKind::OutboxBatch => Some(StreamId::outbox(ShardId(entry.owner as u16))),
        _ => None,
    }
}

/// Offset behind the batch of `row`: an outbox counts batches, a partition records, and what compaction left says it.
#[inline]
pub(in crate::log) fn end_of(row: &Row) -> u64 {
    if row.kind == EntryKind::CompactedBatch as u16 {
        return row.owner.max(row.base);
    }
    let outbox = row.kind == EntryKind::OutboxBatch as u16;
    row.base + if outbox { 1 } else { u64::from(row.count) }
}
