//! Why the client API says no: one enum per operation. On every variant but `Closed` nothing was written.

use crate::model::{
    BatchError, GroupName, Offset, PartitionId, Position, ProducerEpoch, ProducerId, RecordSequence,
    SegmentId, StoreId,
};

/// Why a batch was not appended. On every variant but [`AppendError::Closed`], nothing was written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// No topic has this partition.
    #[error("partition {partition} does not exist")]
    UnknownPartition {
        /// The partition.
        partition: PartitionId,
    },
    /// The bytes are not a native batch within its limits.
    #[error("the batch was refused")]
    Batch(#[from] BatchError),
    /// The batch does not fit into a frame of this data folder.
    #[error("batch of {size} bytes exceeds the limit of {limit}")]
    BatchTooLarge {
        /// Bytes of the batch.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A topic that is compacted takes only records with a key.
    #[error("record {index} of the batch has no key, and its topic is compacted")]
    NoKey {
        /// Which record, counted from 0.
        index: u32,
    },
    /// The producer has a newer epoch by now.
    #[error("producer {producer} has epoch {current}; the batch has the older {found}")]
    Fenced {
        /// The producer.
        producer: ProducerId,
        /// Its newest epoch.
        current: ProducerEpoch,
        /// The batch's epoch.
        found: ProducerEpoch,
    },
    /// The batch does not follow what its producer appended before: one in between is missing, or it is a
    /// repetition too old to be recognised.
    #[error("sequence {found} of producer {producer} where {expected} is expected")]
    OutOfOrderSequence {
        /// The producer.
        producer: ProducerId,
        /// The sequence number that a new batch must have.
        expected: RecordSequence,
        /// The batch's.
        found: RecordSequence,
    },
    /// Nothing is known (any more) of this producer in this partition, so its batch must begin at 0.
    #[error("sequence {found} of producer {producer}, of which this partition knows nothing")]
    UnknownProducer {
        /// The producer.
        producer: ProducerId,
        /// The batch's sequence number.
        found: RecordSequence,
    },
    /// The device has no room for more segments.
    #[error("no space left for records")]
    NoSpace,
    /// The shard is closed, or was closed before the batch was known durable: it may have been written.
    #[error("the shard is closed")]
    Closed,
}

/// Why records could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// No topic has this partition.
    #[error("partition {partition} does not exist")]
    UnknownPartition {
        /// The partition.
        partition: PartitionId,
    },
    /// The offset lies before the log's start or behind its end.
    #[error("offset {from} lies outside of {start} to {end}")]
    OutOfRange {
        /// The offset asked for.
        from: Offset,
        /// The first offset that can be read.
        start: Offset,
        /// The offset behind the last committed record.
        end: Offset,
    },
    /// The disk did not return what was written there.
    #[error("damaged batch in segment {segment} at byte {position}")]
    Damaged {
        /// The segment.
        segment: SegmentId,
        /// Where in it.
        position: Position,
    },
    /// This process, or the machine, has as many files open as it may.
    #[error("{message}")]
    TooManyOpenFiles {
        /// Which could not be opened, and how to raise the limit.
        message: String,
    },
    /// The disk failed.
    #[error("the disk failed: {message}")]
    Disk {
        /// Its words.
        message: String,
    },
    /// The shard is closed.
    #[error("the shard is closed")]
    Closed,
}

/// Why a log start was not set. On every variant but [`SetLogStartError::Closed`], nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SetLogStartError {
    /// No topic has this partition.
    #[error("partition {partition} does not exist")]
    UnknownPartition {
        /// The partition.
        partition: PartitionId,
    },
    /// The offset lies behind the last committed record.
    #[error("offset {offset} lies behind the end {end}")]
    BehindEnd {
        /// The offset asked for.
        offset: Offset,
        /// The offset behind the last committed record.
        end: Offset,
    },
    /// The device has no room.
    #[error("no space left")]
    NoSpace,
    /// The shard is closed, or was closed before the change was known durable: it may have been made.
    #[error("the shard is closed")]
    Closed,
}

/// Why a commit was refused. On every variant but [`CommitError::Closed`], nothing was written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitError {
    /// No topic has this partition.
    #[error("partition {partition} does not exist")]
    UnknownPartition {
        /// The partition.
        partition: PartitionId,
    },
    /// A log start of a partition of another shard, or behind the partition's end.
    #[error("log start {offset} of partition {partition} does not lie in its log on this shard")]
    LogStart {
        /// The partition.
        partition: PartitionId,
        /// The offset asked for.
        offset: Offset,
    },
    /// No store has this number.
    #[error("store {store} does not exist")]
    UnknownStore {
        /// The store.
        store: StoreId,
    },
    /// One of the batches is not a native batch within its limits.
    #[error("a batch of the commit was refused")]
    Batch(#[from] BatchError),
    /// A topic that is compacted takes only records with a key.
    #[error("record {index} of a batch for partition {partition} has no key, and its topic is compacted")]
    NoKey {
        /// The partition.
        partition: PartitionId,
        /// Which record, counted from 0.
        index: u32,
    },
    /// The commit does not fit into one frame: commit less at a time.
    #[error("commit of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Bytes that the commit's frame would have, or of the batch that alone exceeds the limit.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The device has no room for more segments.
    #[error("no space left for a commit")]
    NoSpace,
    /// The shard is closed, or was closed before the commit was known durable: it may have been written.
    #[error("the shard is closed")]
    Closed,
}

/// Why a store or task was not given its number.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameStoreError {
    /// The name is empty or too long.
    #[error("a name of {size} bytes; allowed are 1 to {limit}")]
    Size {
        /// Bytes of the name.
        size: usize,
        /// [`STORE_NAME_SIZE_MAX`](crate::limits::STORE_NAME_SIZE_MAX).
        limit: usize,
    },
    /// Too many names.
    #[error("a shard names at most {limit} stores and tasks")]
    TooMany {
        /// [`STORES_MAX`](crate::limits::STORES_MAX).
        limit: usize,
    },
    /// The device has no room.
    #[error("no space left for a name")]
    NoSpace,
    /// The shard is closed, or was closed before the name was known durable: it may have been given.
    #[error("the shard is closed")]
    Closed,
}

/// Why offsets were not committed. On every variant but [`CommitOffsetsError::Closed`], none of them was.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitOffsetsError {
    /// No topic has this partition.
    #[error("partition {partition} does not exist")]
    UnknownPartition {
        /// The partition.
        partition: PartitionId,
    },
    /// What is to be kept with an offset is too long.
    #[error("a text of {size} bytes with the offset of partition {partition} exceeds the limit of {limit}")]
    MetadataTooLong {
        /// The partition.
        partition: PartitionId,
        /// Bytes of the text.
        size: usize,
        /// [`OFFSET_METADATA_SIZE_MAX`](crate::limits::OFFSET_METADATA_SIZE_MAX).
        limit: usize,
    },
    /// The group would have too many offsets.
    #[error("a group commits at most {limit} offsets")]
    TooManyOffsets {
        /// [`GROUP_OFFSETS_MAX`](crate::limits::GROUP_OFFSETS_MAX).
        limit: usize,
    },
    /// The shard has as many groups as it may.
    #[error("a shard has at most {limit} groups")]
    TooManyGroups {
        /// [`SHARD_GROUPS_MAX`](crate::limits::SHARD_GROUPS_MAX).
        limit: usize,
    },
    /// The groups of the shard take as much memory as they may.
    #[error("the groups of a shard take at most {limit} bytes of memory")]
    Memory {
        /// [`SHARD_GROUPS_MEMORY_MAX`](crate::limits::SHARD_GROUPS_MEMORY_MAX).
        limit: usize,
    },
    /// The offsets do not fit into one frame: commit fewer at a time.
    #[error("offsets of {size} bytes exceed the limit of {limit}")]
    TooLarge {
        /// Bytes that the frame would have.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The device has no room.
    #[error("no space left for committed offsets")]
    NoSpace,
    /// The shard is closed, or was closed before the commit was known durable: it may have been made.
    #[error("the shard is closed")]
    Closed,
}

/// Why the record of a group was not set. On every variant but [`SetGroupRecordError::Closed`], it is as it was.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SetGroupRecordError {
    /// The record is not of the version that was expected.
    #[error("the record of the group has version {current}, not {expected}")]
    Version {
        /// Version expected.
        expected: u64,
        /// Its version; 0 without a record.
        current: u64,
    },
    /// The record does not fit.
    #[error("a record of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Bytes of the record, or of the frame that it would be in.
        size: usize,
        /// [`GROUP_RECORD_SIZE_MAX`](crate::limits::GROUP_RECORD_SIZE_MAX), or the size of a frame.
        limit: usize,
    },
    /// The shard has as many groups as it may.
    #[error("a shard has at most {limit} groups")]
    TooManyGroups {
        /// [`SHARD_GROUPS_MAX`](crate::limits::SHARD_GROUPS_MAX).
        limit: usize,
    },
    /// The groups of the shard take as much memory as they may.
    #[error("the groups of a shard take at most {limit} bytes of memory")]
    Memory {
        /// [`SHARD_GROUPS_MEMORY_MAX`](crate::limits::SHARD_GROUPS_MEMORY_MAX).
        limit: usize,
    },
    /// The device has no room.
    #[error("no space left for the record of a group")]
    NoSpace,
    /// The shard is closed, or was closed before the change was known durable: it may have been made.
    #[error("the shard is closed")]
    Closed,
}

/// Why a group or offsets of it were not deleted. On every variant but [`DeleteGroupError::Closed`], nothing was.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeleteGroupError {
    /// There is no such group.
    #[error("group {group} does not exist")]
    Unknown {
        /// The group.
        group: GroupName,
    },
    /// The group has members.
    #[error("group {group} has members")]
    Active {
        /// The group.
        group: GroupName,
    },
    /// The device has no room, not even for this.
    #[error("no space left")]
    NoSpace,
    /// The shard is closed, or was closed before the deletion was known durable: it may have been made.
    #[error("the shard is closed")]
    Closed,
}

/// Why nothing was told of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadGroupError {
    /// The shard is closed.
    #[error("the shard is closed")]
    Closed,
}
