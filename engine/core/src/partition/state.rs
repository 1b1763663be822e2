//! The state of one partition.

use crate::catalog::{Cleanup, Retention};
use crate::compaction::CompactionState;
use crate::limits::RETENTION_EXCESS;
use crate::model::{Offset, ProducerStamp};
use crate::producer::ProducerTable;
use crate::retention::Timeline;
use crate::shard::Waiters;

/// Committed state of one partition, a fold over its batches, and the offset that the next batch is given,
/// which runs ahead of it.
#[derive(Debug, Default)]
pub(crate) struct PartitionState {
    /// First offset kept.
    pub(crate) start: Offset,
    /// Offset behind the last committed record.
    pub(crate) end: Offset,
    /// Offset of the next batch: `end`, plus what is in flight.
    pub(crate) next: Offset,
    /// The catalog knows it no more; its data is still to be let go.
    pub(crate) deleted: bool,
    pub(crate) producers: ProducerTable,
    /// How long its records are kept, as the catalog says.
    pub(crate) retention: Retention,
    /// How the rest goes, as the catalog says.
    pub(crate) cleanup: Cleanup,
    /// How far it was compacted.
    pub(crate) compaction: CompactionState,
    /// When they were appended.
    pub(crate) timeline: Timeline,
    /// Bytes of all batches from which on a look at the limit is asked for at once.
    pub(crate) look_at: u64,
    /// Tasks that wait for records.
    pub(crate) waiters: Waiters,
}

impl PartitionState {
    /// Takes in a committed batch of `count` records at `base`; `false` if it was contained already, because
    /// a checkpoint's slice was ahead of the frames read again.
    /// `appended_ms`: by when it was appended, by the log's clock.
    pub(crate) fn committed(
        &mut self,
        base: Offset,
        count: u32,
        stamp: Option<&ProducerStamp>,
        appended_ms: u64,
    ) -> bool {
        if base < self.end {
            return false;
        }
        self.end = Offset(base.0 + u64::from(count));
        self.next = self.next.max(self.end);
        if let Some(stamp) = stamp {
            self.producers.appended(stamp, count, base, appended_ms);
        }
        true
    }

    /// Whether the limit in bytes is exceeded by so much that records go at once; it is said again only when there are
    /// more.
    pub(crate) fn is_look_urgent(&mut self) -> bool {
        let Some(limit) = self.retention.bytes else { return false };
        let kept = self.timeline.bytes();
        let excess = limit / RETENTION_EXCESS;
        let urgent = kept > (limit + excess).max(self.look_at);
        if urgent {
            self.look_at = kept + excess.max(1);
        }
        urgent
    }

    /// The log start that the limits allow at `now`, by the log's clock; `None` if it is the one there is.
    pub(crate) fn start_by_retention(&self, now: u64) -> Option<Offset> {
        let limited = self.retention.is_limited() && !self.deleted;
        limited.then(|| self.timeline.start_by(&self.retention, now)).flatten()
    }

    /// Takes in a committed log start.
    pub(crate) fn start_raised(&mut self, start: Offset) {
        self.start = self.start.max(start);
        self.timeline.start_raised(start);
        self.look_at = 0;
    }
}
