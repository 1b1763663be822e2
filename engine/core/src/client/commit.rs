//! What a stream task makes durable in one step.

use crate::model::{Offset, PartitionId, StoreId};

/// Everything that one step of a stream task changes: it becomes durable together, in one frame, or not at
/// all.
///
/// Batches are native ones as a [`BatchBuilder`](crate::model::BatchBuilder) makes them, at most
/// [`BATCH_SIZE_MAX`](crate::limits::BATCH_SIZE_MAX) each; the whole fits into one frame.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// The committing task, as the shard numbered it.
    pub task: StoreId,
    /// For each input partition, the next offset to read.
    pub inputs: Vec<(PartitionId, Offset)>,
    /// For each store, a batch of its changes: key and new value; no value removes the key. Values are
    /// absolute, so that a change applied twice changes nothing.
    pub deltas: Vec<(StoreId, Vec<u8>)>,
    /// Batches for partitions of any shard, appended in this order.
    pub outputs: Vec<(PartitionId, Vec<u8>)>,
    /// New log starts of partitions of this shard, at most their committed ends.
    pub log_starts: Vec<(PartitionId, Offset)>,
}

impl Commit {
    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
            && self.deltas.is_empty()
            && self.outputs.is_empty()
            && self.log_starts.is_empty()
    }

    /// Forgets everything but the task; keeps the memory of the lists.
    pub fn clear(&mut self) {
        self.inputs.clear();
        self.deltas.clear();
        self.outputs.clear();
        self.log_starts.clear();
    }
}
