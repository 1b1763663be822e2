//! The words of the engine: identifiers, offsets, time, records and batches.

mod ids;
mod name;
mod offset;
mod time;

pub use ids::{
    Generation, Incarnation, LogId, PartitionId, ProducerEpoch, ProducerId, RecordSequence, SegmentId,
    Sequence, ShardId, StoreId, TopicId,
};
pub use name::{NameError, TopicName};
pub use offset::{ByteCount, Offset, Position, RecordCount};
pub use time::Timestamp;
