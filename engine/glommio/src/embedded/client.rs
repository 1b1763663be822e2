//! The engine for ordinary threads.

use std::sync::Arc;
use std::time::Duration;

use thalweg_engine::catalog::{CatalogError, Partition, Topic, TopicSettings};
use thalweg_engine::client::{
    AppendError, Appended, Bounds, CommitOffsetsError, CommittedOffset, DeleteGroupError, GroupRecord,
    GroupSummary, OffsetCommit, ProducerPosition, ReadError, ReadGroupError, SetGroupRecordError,
    SetLogStartError,
};
use thalweg_engine::model::{
    GroupName, Offset, PartitionId, ProducerId, StampedOffset, TimeSearch, TopicName,
};
use thalweg_engine::shard::OwnedBatch;

use super::fate::Fate;
use super::message::ThreadMessage;
use super::{ClosedError, Pending};
use crate::gateway::{ReplySlot, ThreadSender, reply_slot};

/// Uses an engine from ordinary threads. Cheap to clone; any number of threads may use it at once.
///
/// Requests of one thread about one partition are carried out in the order in which it made them. A request
/// blocks the thread while its shard has 1,024 requests waiting.
///
/// When the [`Engine`](super::Engine) has been closed or dropped, or a shard has panicked, every request is
/// answered with an error, those under way included; [`Client::why_closed`] tells which it was.
#[derive(Clone, Debug)]
pub struct Client {
    shards: Arc<[ThreadSender<ThreadMessage>]>,
    fate: Arc<Fate>,
}

impl Client {
    pub(super) fn new(shards: Arc<[ThreadSender<ThreadMessage>]>, fate: Arc<Fate>) -> Self {
        Self { shards, fate }
    }

    /// Appends `batch`, a native batch as [`BatchBuilder`](thalweg_engine::model::BatchBuilder) makes it. The
    /// answer comes when the batch is durable; any number of appends may be under way.
    ///
    /// The answer is an [`AppendError`] if the batch was refused; nothing was written then.
    pub fn append(&self, partition: &Partition, batch: Vec<u8>) -> Pending<Result<Appended, AppendError>> {
        let id = partition.id;
        self.send(partition.shard.0, |slot| ThreadMessage::Append { partition: id, batch, slot })
    }

    /// Reads whole batches of `partition`: the first holds offset `from`; no further one is added beyond
    /// `bytes_max` bytes. If there is nothing behind `from` yet, waits up to `wait` and may then return
    /// nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(
        &self,
        partition: &Partition,
        from: Offset,
        bytes_max: usize,
        wait: Duration,
    ) -> Result<Vec<OwnedBatch>, ReadError> {
        let partition_id = partition.id;
        self.send(partition.shard.0, |slot| ThreadMessage::Read {
            partition: partition_id,
            from,
            bytes_max,
            wait,
            slot,
        })
        .wait()
        .unwrap_or(Err(ReadError::Closed))
    }

    /// The committed records of `partition`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn bounds(&self, partition: &Partition) -> Result<Bounds, ReadError> {
        let id = partition.id;
        self.send(partition.shard.0, |slot| ThreadMessage::Bounds { partition: id, slot })
            .wait()
            .unwrap_or(Err(ReadError::Closed))
    }

    /// Finds a record of `partition` by its time: the first one of a time or later, or the one with the largest
    /// timestamp. `None` if there is no such record.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn find_by_time(
        &self,
        partition: &Partition,
        search: TimeSearch,
    ) -> Result<Option<StampedOffset>, ReadError> {
        let id = partition.id;
        self.send(partition.shard.0, |slot| ThreadMessage::FindByTime { partition: id, search, slot })
            .wait()
            .unwrap_or(Err(ReadError::Closed))
    }

    /// How far `producer` has got in `partition`; `None` if the partition knows nothing of it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn producer_position(
        &self,
        partition: &Partition,
        producer: ProducerId,
    ) -> Result<Option<ProducerPosition>, ReadError> {
        let id = partition.id;
        self.send(partition.shard.0, |slot| ThreadMessage::ProducerPosition { partition: id, producer, slot })
            .wait()
            .unwrap_or(Err(ReadError::Closed))
    }

    /// A producer id that nobody was given before.
    ///
    /// # Errors
    /// [`CatalogError`].
    pub fn producer_id(&self) -> Result<ProducerId, CatalogError> {
        self.catalog(|slot| ThreadMessage::ProducerId { slot })
    }

    /// Creates a topic. On return every shard knows it.
    ///
    /// # Errors
    /// [`CatalogError`].
    pub fn create_topic(
        &self,
        name: &TopicName,
        partitions: u32,
        settings: TopicSettings,
    ) -> Result<Topic, CatalogError> {
        let name = name.clone();
        self.catalog(|slot| ThreadMessage::CreateTopic { name, partitions, settings, slot })
    }

    /// Deletes a topic with all its records, and returns what it was. On return every shard has forgotten it.
    ///
    /// # Errors
    /// [`CatalogError`].
    pub fn delete_topic(&self, name: &TopicName) -> Result<Topic, CatalogError> {
        let name = name.clone();
        self.catalog(|slot| ThreadMessage::DeleteTopic { name, slot })
    }

    /// Gives a topic more partitions: `total` in all.
    ///
    /// # Errors
    /// [`CatalogError`].
    pub fn add_partitions(&self, name: &TopicName, total: u32) -> Result<Topic, CatalogError> {
        let name = name.clone();
        self.catalog(|slot| ThreadMessage::AddPartitions { name, total, slot })
    }

    /// Gives a topic other settings, and returns what it is then; see
    /// [`ShardClient::alter_topic`](thalweg_engine::client::ShardClient::alter_topic).
    ///
    /// # Errors
    /// [`CatalogError`].
    pub fn alter_topic(&self, name: &TopicName, settings: TopicSettings) -> Result<Topic, CatalogError> {
        let name = name.clone();
        self.catalog(|slot| ThreadMessage::AlterTopic { name, settings, slot })
    }

    /// Lets go of the records of `partition` before `offset`. On return that is durable. An offset before the start
    /// changes nothing.
    ///
    /// # Errors
    /// [`SetLogStartError`].
    pub fn set_log_start(&self, partition: &Partition, offset: Offset) -> Result<(), SetLogStartError> {
        let id = partition.id;
        self.send(partition.shard.0, |slot| ThreadMessage::SetLogStart { partition: id, offset, slot })
            .wait()
            .unwrap_or(Err(SetLogStartError::Closed))
    }

    /// Commits offsets of a group, all of them or none; see
    /// [`ShardClient::commit_offsets`](thalweg_engine::client::ShardClient::commit_offsets). The answer comes when they are
    /// durable; any number of commits may be under way. Those of one thread for one group are made in its order.
    pub fn commit_offsets(
        &self,
        group: &GroupName,
        offsets: Vec<OffsetCommit>,
    ) -> Pending<Result<(), CommitOffsetsError>> {
        let group = group.clone();
        self.send(self.near(&group), |slot| ThreadMessage::CommitOffsets { group, offsets, slot })
    }

    /// What a group has committed for `partitions`, or for all partitions, by partition; those without a committed offset are
    /// left out.
    ///
    /// # Errors
    /// [`ReadGroupError`].
    pub fn committed_offsets(
        &self,
        group: &GroupName,
        partitions: Option<Vec<PartitionId>>,
    ) -> Result<Vec<CommittedOffset>, ReadGroupError> {
        let group = group.clone();
        self.send(self.near(&group), |slot| ThreadMessage::CommittedOffsets { group, partitions, slot })
            .wait()
            .unwrap_or(Err(ReadGroupError::Closed))
    }

    /// All groups, by name.
    ///
    /// # Errors
    /// [`ReadGroupError`].
    pub fn groups(&self) -> Result<Vec<GroupSummary>, ReadGroupError> {
        self.send(0, |slot| ThreadMessage::Groups { slot }).wait().unwrap_or(Err(ReadGroupError::Closed))
    }

    /// Deletes a group with all that it has. On return that is durable.
    ///
    /// # Errors
    /// [`DeleteGroupError`].
    pub fn delete_group(&self, group: &GroupName) -> Result<(), DeleteGroupError> {
        let group = group.clone();
        self.send(self.near(&group), |slot| ThreadMessage::DeleteGroup { group, slot })
            .wait()
            .unwrap_or(Err(DeleteGroupError::Closed))
    }

    /// Lets go of what a group has committed for `partitions`. On return that is durable.
    ///
    /// # Errors
    /// [`DeleteGroupError`], never [`DeleteGroupError::Active`].
    pub fn delete_offsets(
        &self,
        group: &GroupName,
        partitions: Vec<PartitionId>,
    ) -> Result<(), DeleteGroupError> {
        let group = group.clone();
        self.send(self.near(&group), |slot| ThreadMessage::DeleteOffsets { group, partitions, slot })
            .wait()
            .unwrap_or(Err(DeleteGroupError::Closed))
    }

    /// What a coordinator keeps of a group.
    ///
    /// # Errors
    /// [`ReadGroupError`].
    pub fn group_record(&self, group: &GroupName) -> Result<Option<GroupRecord>, ReadGroupError> {
        let group = group.clone();
        self.send(self.near(&group), |slot| ThreadMessage::GroupRecord { group, slot })
            .wait()
            .unwrap_or(Err(ReadGroupError::Closed))
    }

    /// Sets what a coordinator keeps of a group, if it has version `expected`; see
    /// [`ShardClient::set_group_record`](thalweg_engine::client::ShardClient::set_group_record).
    ///
    /// # Errors
    /// [`SetGroupRecordError`].
    pub fn set_group_record(
        &self,
        group: &GroupName,
        expected: u64,
        active: bool,
        bytes: Vec<u8>,
    ) -> Result<u64, SetGroupRecordError> {
        let group = group.clone();
        self.send(self.near(&group), |slot| ThreadMessage::SetGroupRecord {
            group,
            expected,
            active,
            bytes,
            slot,
        })
        .wait()
        .unwrap_or(Err(SetGroupRecordError::Closed))
    }

    /// A shard to ask about a group: always the same one. If the group lives elsewhere, that one asks for it.
    fn near(&self, group: &GroupName) -> u16 {
        group.slot().0 % self.shard_count()
    }

    /// All topics, by name, internal ones included.
    ///
    /// # Errors
    /// [`ClosedError`].
    pub fn topics(&self) -> Result<Vec<Topic>, ClosedError> {
        self.send(0, |slot| ThreadMessage::Topics { slot }).wait()
    }

    /// The topic of this name, if there is one.
    ///
    /// # Errors
    /// [`ClosedError`].
    pub fn topic(&self, name: &TopicName) -> Result<Option<Topic>, ClosedError> {
        Ok(self.topics()?.into_iter().find(|topic| topic.name == *name))
    }

    /// Number of shards.
    #[must_use]
    pub fn shard_count(&self) -> u16 {
        self.shards.len() as u16
    }

    /// Why requests are refused as closed: the panic of a shard, if there was one.
    #[must_use]
    pub fn why_closed(&self) -> ClosedError {
        self.fate.error()
    }

    /// One gateway per shard.
    pub(super) fn gateways(&self) -> &[ThreadSender<ThreadMessage>] {
        &self.shards
    }

    /// Asks shard 0, which alone changes the catalog.
    fn catalog<T: Send + 'static>(
        &self,
        message: impl FnOnce(ReplySlot<Result<T, CatalogError>>) -> ThreadMessage,
    ) -> Result<T, CatalogError> {
        self.send(0, message).wait().unwrap_or(Err(CatalogError::Closed))
    }

    fn send<T: Send + 'static>(
        &self,
        shard: u16,
        message: impl FnOnce(ReplySlot<T>) -> ThreadMessage,
    ) -> Pending<T> {
        let (slot, reply) = reply_slot();
        let gateway = &self.shards[usize::from(shard)];
        let sent = gateway.send(message(slot)).is_ok();
        Pending::new(sent.then_some(reply), Arc::clone(&self.fate))
    }
}
