//! What a thread asks of a shard.

use std::time::Duration;

use thalweg_engine::catalog::{CatalogError, Topic, TopicSettings};
use thalweg_engine::client::{
    AppendError, Appended, Bounds, ProducerPosition, ReadError, SetLogStartError, ShardClient,
};
use thalweg_engine::model::{Offset, PartitionId, ProducerId, StampedOffset, TimeSearch, TopicName};
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
