//! The state of one partition.

use crate::model::{Offset, ProducerStamp};
use crate::producer::ProducerTable;
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
    /// Tasks that wait for records.
    pub(crate) waiters: Waiters,
}

impl PartitionState {
    /// Takes in a committed batch of `count` records at `base`; `false` if it was contained already, because
    /// a checkpoint's slice was ahead of the frames read again.
    pub(crate) fn committed(&mut self, base: Offset, count: u32, stamp: Option<&ProducerStamp>) -> bool {
        if base < self.end {
            return false;
        }
        self.end = Offset(base.0 + u64::from(count));
        self.next = self.next.max(self.end);
        if let Some(stamp) = stamp {
            self.producers.appended(stamp, count, base);
        }
        true
    }

    /// Takes in a committed log start.
    pub(crate) fn start_raised(&mut self, start: Offset) {
        self.start = self.start.max(start);
    }
}
