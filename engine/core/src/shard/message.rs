//! What shards say to each other.

use super::{GroupReply, GroupRequest};
use crate::catalog::{CatalogAnswer, CatalogError, CatalogRequest, CatalogVersion};
use crate::client::{AppendError, Appended, Bounds, ProducerPosition, ReadError, SetLogStartError};
use crate::model::{
    Offset, PartitionId, ProducerEpoch, ProducerId, RecordSequence, StampedOffset, TimeSearch, Timestamp,
};

/// One message of the mesh. `Send`, moved between threads, never shared.
#[derive(Debug)]
pub enum MeshMessage {
    /// Please do this.
    Request {
        /// Comes back with the reply.
        token: u64,
        /// What to do.
        request: Request,
    },
    /// Done, or refused.
    Reply {
        /// The request's.
        token: u64,
        /// What came of it.
        reply: Reply,
    },
}

/// What one shard asks of another.
#[derive(Debug)]
pub enum Request {
    /// Append a native batch; answered when it is committed.
    Append {
        /// Partition of the asked shard.
        partition: PartitionId,
        /// The batch.
        batch: Vec<u8>,
    },
    /// Read whole batches.
    Read {
        /// Partition of the asked shard.
        partition: PartitionId,
        /// Offset that the first batch holds.
        from: Offset,
        /// Bytes after which no further batch is added.
        bytes_max: usize,
    },
    /// Answer when the partition's end lies behind `from`, or after a time-out.
    Wait {
        /// Partition of the asked shard.
        partition: PartitionId,
        /// Offset to be passed.
        from: Offset,
        /// Nanoseconds to wait at most.
        timeout_ns: u64,
    },
    /// Tell the partition's bounds.
    Bounds {
        /// Partition of the asked shard.
        partition: PartitionId,
    },
    /// Find a record by its time.
    Time {
        /// Partition of the asked shard.
        partition: PartitionId,
        /// What to look for.
        search: TimeSearch,
    },
    /// Tell how far a producer has got.
    ProducerPosition {
        /// Partition of the asked shard.
        partition: PartitionId,
        /// The producer.
        producer: ProducerId,
    },
    /// Raise the partition's log start; answered when it is committed.
    SetLogStart {
        /// Partition of the asked shard.
        partition: PartitionId,
        /// The new start.
        offset: Offset,
    },
    /// To shard 0: change the catalog; answered when every shard has applied the change.
    ChangeCatalog(CatalogRequest),
    /// From shard 0: apply this change; answered when it, or a later catalog, is applied.
    CatalogDelta {
        /// The version after the change.
        version: CatalogVersion,
        /// Archive of the change.
        change: Vec<u8>,
    },
    /// To shard 0: send the whole catalog.
    CatalogFetch,
    /// Send what the outbox for the asking shard holds; answered when it holds something.
    OutboxPull {
        /// Number of the first batch wanted; those before it are committed at the asking shard.
        from: u64,
        /// Bytes after which no further batch is added.
        bytes_max: usize,
    },
    /// Forget batches of the outbox for the asking shard.
    OutboxTrim {
        /// The first number to keep.
        up_to: u64,
    },
    /// Something about a group that lives on the asked shard.
    Group(GroupRequest),
}

/// What one shard answers another; each request has its variant.
#[derive(Debug)]
pub enum Reply {
    /// To [`Request::Append`].
    Append(Result<Appended, AppendError>),
    /// To [`Request::Read`].
    Read(Result<Vec<OwnedBatch>, ReadError>),
    /// To [`Request::Wait`]: the partition's end.
    Wait(Result<Offset, ReadError>),
    /// To [`Request::Bounds`].
    Bounds(Result<Bounds, ReadError>),
    /// To [`Request::Time`]; `None` if there is no such record.
    Time(Result<Option<StampedOffset>, ReadError>),
    /// To [`Request::ProducerPosition`]; `None` if nothing is known of it.
    ProducerPosition(Result<Option<ProducerPosition>, ReadError>),
    /// To [`Request::SetLogStart`].
    SetLogStart(Result<(), SetLogStartError>),
    /// To [`Request::ChangeCatalog`].
    ChangeCatalog(Result<CatalogAnswer, CatalogError>),
    /// To [`Request::CatalogDelta`].
    CatalogDelta,
    /// To [`Request::CatalogFetch`]: archive of the whole catalog.
    CatalogFetch(Vec<u8>),
    /// To [`Request::OutboxPull`]: at least one batch.
    OutboxPull(Result<Vec<OutboxBatch>, ReadError>),
    /// To [`Request::OutboxTrim`].
    OutboxTrim,
    /// To [`Request::Group`].
    Group(GroupReply),
    /// To any request: the shard is closed. What the request asked for may have been done.
    Closed,
}

/// A batch of a partition that was copied out of its shard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnedBatch {
    /// Offset of its first record.
    pub base: Offset,
    /// Offset behind its last record. What compaction has left holds fewer records than there are offsets.
    pub end: Offset,
    /// Number of records.
    pub count: u32,
    /// How the bytes are encoded; 0 is a native batch.
    pub encoding: u8,
    /// Who produced it; `u64::MAX` if nobody said.
    pub producer: ProducerId,
    /// The producer's epoch.
    pub epoch: ProducerEpoch,
    /// The producer's number of the first record.
    pub sequence: RecordSequence,
    /// Largest timestamp of its records.
    pub timestamp_max: Timestamp,
    /// The batch.
    pub bytes: Vec<u8>,
}

/// A batch of an outbox.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OutboxBatch {
    /// Its number in the outbox.
    pub number: u64,
    /// Where it goes.
    pub partition: PartitionId,
    /// Number of records.
    pub count: u32,
    /// Largest timestamp of its records.
    pub timestamp_max: Timestamp,
    /// The batch, a native one.
    pub bytes: Vec<u8>,
}
