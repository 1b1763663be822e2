//! What a thread asks of a shard.

use std::time::Duration;

use thalweg_engine::catalog::{CatalogError, Topic, TopicSettings};
use thalweg_engine::client::{
    AppendError, Appended, Bounds, CommitOffsetsError, CommittedOffset, DeleteGroupError, GroupRecord,
    GroupSummary, OffsetCommit, ProducerPosition, ReadError, ReadGroupError, SetGroupRecordError,
    SetLogStartError, ShardClient,
};
use thalweg_engine::model::{
    GroupName, Offset, PartitionId, ProducerId, StampedOffset, TimeSearch, TopicName,
};
use thalweg_engine::shard::OwnedBatch;

use crate::GlommioRuntime;
use crate::gateway::ReplySlot;

/// Work that is handed to a shard, to be started there.
pub(super) type Job = Box<dyn FnOnce(ShardClient<GlommioRuntime>) + Send>;

/// One request of a thread, with the room for its answer.
pub(super) enum ThreadMessage {
    Append {
        partition: PartitionId,
        batch: Vec<u8>,
        slot: ReplySlot<Result<Appended, AppendError>>,
    },
    Read {
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
        wait: Duration,
        slot: ReplySlot<Result<Vec<OwnedBatch>, ReadError>>,
    },
    Bounds {
        partition: PartitionId,
        slot: ReplySlot<Result<Bounds, ReadError>>,
    },
    FindByTime {
        partition: PartitionId,
        search: TimeSearch,
        slot: ReplySlot<Result<Option<StampedOffset>, ReadError>>,
    },
    ProducerPosition {
        partition: PartitionId,
        producer: ProducerId,
        slot: ReplySlot<Result<Option<ProducerPosition>, ReadError>>,
    },
    ProducerId {
        slot: ReplySlot<Result<ProducerId, CatalogError>>,
    },
    CreateTopic {
        name: TopicName,
        partitions: u32,
        settings: TopicSettings,
        slot: ReplySlot<Result<Topic, CatalogError>>,
    },
    DeleteTopic {
        name: TopicName,
        slot: ReplySlot<Result<Topic, CatalogError>>,
    },
    AddPartitions {
        name: TopicName,
        total: u32,
        slot: ReplySlot<Result<Topic, CatalogError>>,
    },
    AlterTopic {
        name: TopicName,
        settings: TopicSettings,
        slot: ReplySlot<Result<Topic, CatalogError>>,
    },
    CommitOffsets {
        group: GroupName,
        offsets: Vec<OffsetCommit>,
        slot: ReplySlot<Result<(), CommitOffsetsError>>,
    },
    CommittedOffsets {
        group: GroupName,
        partitions: Option<Vec<PartitionId>>,
        slot: ReplySlot<Result<Vec<CommittedOffset>, ReadGroupError>>,
    },
    Groups {
        slot: ReplySlot<Result<Vec<GroupSummary>, ReadGroupError>>,
    },
    DeleteGroup {
        group: GroupName,
        slot: ReplySlot<Result<(), DeleteGroupError>>,
    },
    DeleteOffsets {
        group: GroupName,
        partitions: Vec<PartitionId>,
        slot: ReplySlot<Result<(), DeleteGroupError>>,
    },
    GroupRecord {
        group: GroupName,
        slot: ReplySlot<Result<Option<GroupRecord>, ReadGroupError>>,
    },
    SetGroupRecord {
        group: GroupName,
        expected: u64,
        active: bool,
        bytes: Vec<u8>,
        slot: ReplySlot<Result<u64, SetGroupRecordError>>,
    },
    SetLogStart {
        partition: PartitionId,
        offset: Offset,
        slot: ReplySlot<Result<(), SetLogStartError>>,
    },
    Topics {
        slot: ReplySlot<Vec<Topic>>,
    },
    Run(Job),
    /// Close the shard; answered when it is closed.
    Close {
        slot: ReplySlot<()>,
    },
    /// All shards are closed: end.
    End,
}
