//! The words of the engine: identifiers, offsets, time, records and batches.

mod batch;
mod batch_read;
mod ids;
mod name;
mod offset;
mod partitioner;
mod time;

pub use batch::{
    BATCH_HEADER_SIZE, BatchBuilder, BatchError, Header, ProducerStamp, RECORD_FIXED_SIZE, Record,
};
pub use batch_read::{BatchView, HeaderRef, HeadersRef, RecordRef, Records};
pub use ids::{
    FolderId, Generation, Incarnation, LogId, PartitionId, ProducerEpoch, ProducerId, RecordSequence,
    SegmentId, Sequence, ShardId, StoreId, StreamId, TopicId,
};
pub use name::{NameError, TopicName};
pub use offset::{ByteCount, Offset, Position, RecordCount};
pub use partitioner::partition_for_key;
pub use time::{StampedOffset, TimeSearch, Timestamp};
