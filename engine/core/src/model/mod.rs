//! The words of the engine: identifiers, offsets, time, records and batches.

mod batch;
mod batch_read;
mod group_name;
mod ids;
mod name;
mod offset;
mod partitioner;
mod time;

pub use batch::{
    BATCH_HEADER_SIZE, BatchBuilder, BatchError, Header, ProducerStamp, RECORD_FIXED_SIZE, Record,
};
pub use batch_read::{BatchView, HeaderRef, HeadersRef, RecordRef, Records};
pub use group_name::{GroupName, GroupNameError};
pub use ids::{
    FolderId, Generation, GroupId, Incarnation, LogId, PartitionId, ProducerEpoch, ProducerId,
    RecordSequence, SegmentId, Sequence, ShardId, SlotId, StoreId, StreamId, TopicId,
};
pub use name::{NameError, TopicName};
pub use offset::{ByteCount, Offset, Position, RecordCount};
pub use partitioner::partition_for_key;
pub use time::{StampedOffset, TimeSearch, Timestamp};
