//! The client of one shard.

use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use super::{
    AppendError, Appended, Bounds, Commit, CommitError, NameStoreError, ProducerPosition, ReadError,
    SetLogStartError,
};
use crate::catalog::{CatalogAnswer, CatalogError, CatalogRequest, Topic, TopicSettings};
use crate::io::Runtime;
use crate::log::{CheckpointError, LogStatus, ReadBatch};
use crate::model::{Offset, PartitionId, ProducerId, ShardId, StampedOffset, StoreId, TimeSearch, TopicName};
use crate::shard::{OwnedBatch, Shard};
use crate::store::StoreTable;

/// A batch that was read: shared with this shard's memory, or copied out of another's.
#[derive(Clone, Debug)]
pub enum FetchedBatch<R: Runtime> {
    /// Of a partition of this shard.
    Local(ReadBatch<R>),
    /// Of a partition of another shard.
    Remote(Rc<OwnedBatch>),
}

impl<R: Runtime> FetchedBatch<R> {
    /// Offset of its first record; may lie before the offset that was asked for.
    #[must_use]
    pub fn base(&self) -> Offset {
        match self {
            Self::Local(batch) => batch.base,
            Self::Remote(batch) => batch.base,
        }
    }

    /// Number of its records.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Self::Local(batch) => batch.count.0 as u32,
            Self::Remote(batch) => batch.count,
        }
    }

    /// Offset behind its last record. What compaction has left holds fewer records than there are offsets.
    #[must_use]
    pub fn end(&self) -> Offset {
        match self {
            Self::Local(batch) => batch.end,
            Self::Remote(batch) => batch.end,
        }
    }

    /// How its bytes are encoded; 0 is a native batch.
    #[must_use]
    pub fn encoding(&self) -> u8 {
        match self {
            Self::Local(batch) => batch.encoding,
            Self::Remote(batch) => batch.encoding,
        }
    }
}

impl<R: Runtime> From<FetchedBatch<R>> for OwnedBatch {
    fn from(batch: FetchedBatch<R>) -> Self {
        match batch {
            FetchedBatch::Local(batch) => Self::copy_of(&batch),
            FetchedBatch::Remote(batch) => Rc::unwrap_or_clone(batch),
        }
    }
}

impl<R: Runtime> Deref for FetchedBatch<R> {
    type Target = [u8];

    /// The batch as it was appended; verified against its checksum when it came from the disk.
    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Local(batch) => &batch.bytes,
            Self::Remote(batch) => &batch.bytes,
        }
    }
}

/// The engine as it is seen from one shard. Cheap to clone; lives on that shard's executor.
///
/// Every operation may name any partition: what lives elsewhere is asked of its shard.
pub struct ShardClient<R: Runtime> {
    shard: Shard<R>,
}

impl<R: Runtime> Clone for ShardClient<R> {
    fn clone(&self) -> Self {
        Self { shard: self.shard.clone() }
    }
}

impl<R: Runtime> ShardClient<R> {
    /// A client on `shard`.
    #[must_use]
    pub fn new(shard: Shard<R>) -> Self {
        Self { shard }
    }

    pub(super) fn engine(&self) -> &Shard<R> {
        &self.shard
    }

    /// The shard that this client lives on.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.shard.id()
    }

    /// Number of shards of the data folder.
    #[must_use]
    pub fn shard_count(&self) -> u16 {
        self.shard.count()
    }

    /// The runtime that the client lives in.
    #[must_use]
    pub fn runtime(&self) -> &R {
        self.shard.runtime()
    }

    /// Numbers about this shard's log.
    #[must_use]
    pub fn log_status(&self) -> LogStatus {
        self.shard.log_status()
    }

    /// Makes a checkpoint of this shard now, beyond those that its log makes by itself.
    ///
    /// # Errors
    /// [`CheckpointError`]; the checkpoint before it stays in force.
    pub async fn checkpoint(&self) -> Result<(), CheckpointError> {
        self.shard.checkpoint().await
    }

    /// Makes a topic. On return every shard knows it.
    ///
    /// # Errors
    /// [`CatalogError`]; nothing was changed, except where `Closed` says otherwise.
    pub async fn create_topic(
        &self,
        name: &TopicName,
        partitions: u32,
        settings: TopicSettings,
    ) -> Result<Topic, CatalogError> {
        self.change(CatalogRequest::CreateTopic { name: name.clone(), partitions, settings }).await
    }

    /// Deletes a topic with its records. On return no shard knows it any more; the answer is what it was.
    ///
    /// # Errors
    /// As [`ShardClient::create_topic`].
    pub async fn delete_topic(&self, name: &TopicName) -> Result<Topic, CatalogError> {
        self.change(CatalogRequest::DeleteTopic { name: name.clone() }).await
    }

    /// Gives a topic more partitions, `total` in all.
    ///
    /// # Errors
    /// As [`ShardClient::create_topic`].
    pub async fn add_partitions(&self, name: &TopicName, total: u32) -> Result<Topic, CatalogError> {
        self.change(CatalogRequest::AddPartitions { name: name.clone(), total }).await
    }

    /// Gives a topic other settings: all of `settings`, but for [`TopicSettings::internal`], which stays what it is. On
    /// return every shard knows them.
    ///
    /// # Errors
    /// As [`ShardClient::create_topic`].
    pub async fn alter_topic(
        &self,
        name: &TopicName,
        settings: TopicSettings,
    ) -> Result<Topic, CatalogError> {
        self.change(CatalogRequest::AlterTopic { name: name.clone(), settings }).await
    }

    async fn change(&self, request: CatalogRequest) -> Result<Topic, CatalogError> {
        match self.shard.change_catalog(request).await? {
            CatalogAnswer::Topic(topic) => Ok(topic),
            CatalogAnswer::ProducerIds(_) | CatalogAnswer::SlotsPlaced => {
                unreachable!("a topic was asked for")
            }
        }
    }

    /// The topic of that name, as this shard knows it.
    #[must_use]
    pub fn topic(&self, name: &TopicName) -> Option<Topic> {
        self.shard.topic(name)
    }

    /// All topics, by name, as this shard knows them; internal ones too.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        self.shard.topics()
    }

    /// Where a partition lives, as this shard knows it.
    #[must_use]
    pub fn placement(&self, partition: PartitionId) -> Option<ShardId> {
        self.shard.placement(partition)
    }

    /// Appends a native batch. On return it is committed. If the batch names its producer, one that was
    /// appended before is recognised.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was written, except where `Closed` says otherwise.
    pub async fn append(&self, partition: PartitionId, batch: &[u8]) -> Result<Appended, AppendError> {
        self.shard.append(partition, batch).await
    }

    /// Reads whole batches: the first holds `from`, further ones while all together fit into `bytes_max` and
    /// [`CLIENT_READ_SIZE_MAX`](crate::limits::CLIENT_READ_SIZE_MAX). Empty at the partition's end. Only committed records are
    /// seen.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Vec<FetchedBatch<R>>, ReadError> {
        self.shard.read(partition, from, bytes_max).await
    }

    /// Ends when the partition's end lies behind `from`, or after `timeout`; answers with its end.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn wait_for_data(
        &self,
        partition: PartitionId,
        from: Offset,
        timeout: Option<Duration>,
    ) -> Result<Offset, ReadError> {
        self.shard.wait_for_data(partition, from, timeout).await
    }

    /// What can be read of a partition.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`] or [`ReadError::Closed`].
    pub async fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError> {
        self.shard.bounds(partition).await
    }

    /// What can be read of a partition of this shard; `None` if it lives elsewhere or does not exist.
    #[must_use]
    pub fn local_bounds(&self, partition: PartitionId) -> Option<Bounds> {
        self.shard.own_bounds(partition)
    }

    /// Finds a record by its time; `None` if there is no such record. Only committed records are seen, and of those the
    /// ones that can be read. In a batch that is not a native one the first record stands for all.
    ///
    /// # Errors
    /// [`ReadError`], never [`ReadError::OutOfRange`].
    pub async fn find_by_time(
        &self,
        partition: PartitionId,
        search: TimeSearch,
    ) -> Result<Option<StampedOffset>, ReadError> {
        self.shard.find_by_time(partition, search).await
    }

    /// Lets go of the records before `offset`. On return that is durable. An offset before the start changes
    /// nothing.
    ///
    /// # Errors
    /// [`SetLogStartError`].
    pub async fn set_log_start(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), SetLogStartError> {
        self.shard.set_log_start(partition, offset).await
    }

    /// A producer id that nobody else has or ever had.
    ///
    /// # Errors
    /// [`CatalogError::NoSpace`] or [`CatalogError::Closed`].
    pub async fn producer_id(&self) -> Result<ProducerId, CatalogError> {
        self.shard.producer_id().await
    }

    /// How far a producer has got in a partition, as committed; `None` if nothing is known of it. Where a
    /// producer goes on after a restart.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`] or [`ReadError::Closed`].
    pub async fn producer_position(
        &self,
        partition: PartitionId,
        producer: ProducerId,
    ) -> Result<Option<ProducerPosition>, ReadError> {
        self.shard.producer_position(partition, producer).await
    }

    /// The number of a store or task of this shard; the same for the same name, for ever.
    ///
    /// # Errors
    /// [`NameStoreError`].
    pub async fn name(&self, name: &str) -> Result<StoreId, NameStoreError> {
        self.shard.name(name).await
    }

    /// The stores and tasks of this shard whose names begin with `prefix`, as committed, by name.
    #[must_use]
    pub fn names(&self, prefix: &str) -> Vec<(String, StoreId)> {
        self.shard.names(prefix)
    }

    /// Removes a store or task: its keys, its input positions, its name. Its number is never given again.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn drop_store(&self, store: StoreId) -> Result<(), CommitError> {
        self.shard.drop_store(store).await
    }

    /// The next offset that `task` reads of `partition`, as committed; `None` if it never committed one.
    #[must_use]
    pub fn input_position(&self, task: StoreId, partition: PartitionId) -> Option<Offset> {
        self.shard.input_position(task, partition)
    }

    /// Calls `f` with a store of this shard, as committed; with an empty one before its first commit.
    ///
    /// # Panics
    /// If `f` calls the engine.
    pub fn store<T>(&self, store: StoreId, f: impl FnOnce(&StoreTable) -> T) -> T {
        self.shard.with_store(store, f)
    }

    /// Calls `f` with the value of `key`, as committed.
    ///
    /// # Panics
    /// If `f` calls the engine.
    pub fn store_get<T>(&self, store: StoreId, key: &[u8], f: impl FnOnce(Option<&[u8]>) -> T) -> T {
        self.store(store, |table| f(table.get(key)))
    }

    /// Number of keys of a store.
    #[must_use]
    pub fn store_len(&self, store: StoreId) -> usize {
        self.store(store, StoreTable::len)
    }

    /// Calls `f` for each key and value of a store, in no order that means anything.
    ///
    /// # Panics
    /// If `f` calls the engine.
    pub fn store_for_each(&self, store: StoreId, mut f: impl FnMut(&[u8], &[u8])) {
        self.store(store, |table| table.iter().for_each(|(key, value)| f(key, value)));
    }

    /// Makes one step of a stream task durable, in one frame. On return it is committed.
    ///
    /// # Errors
    /// [`CommitError`]; nothing was written, except where `Closed` says otherwise. After
    /// [`CommitError::TooLarge`] the task commits less at a time.
    pub async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        self.shard.commit(commit).await
    }
}
