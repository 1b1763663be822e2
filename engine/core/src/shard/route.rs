//! What clients ask: done here, or by the shard that the partition lives on.

use std::time::Duration;

use super::calls::Credit;
use super::inner::Shard;
use super::submit::{Refused, parse, plain};
use super::{Reply, Request};
use crate::catalog::{CatalogAnswer, CatalogError, CatalogRequest, Topic};
use crate::client::{
    AppendError, Appended, Bounds, Commit, CommitError, FetchedBatch, NameStoreError, ProducerPosition,
    ReadError, SetLogStartError,
};
use crate::io::{Monotonic, Runtime};
use crate::limits::REMOTE_WAIT_MAX;
use crate::log::format::EntryKind;
use crate::model::{
    Offset, PartitionId, ProducerId, Sequence, ShardId, StampedOffset, StoreId, TimeSearch, TopicName,
};
use crate::store::StoreTable;

/// The reply of one kind, or what a closed shard comes to.
macro_rules! expect_reply {
    ($reply:expr, $kind:ident, $closed:expr) => {
        match $reply {
            Reply::$kind(answer) => answer,
            Reply::Closed => Err($closed),
            other => unreachable!("another shard answered {other:?}"),
        }
    };
}

impl<R: Runtime> Shard<R> {
    /// The other shard that the partition lives on; `None` if it lives here, or nowhere.
    fn elsewhere(&self, partition: PartitionId) -> Option<ShardId> {
        let state = self.inner.state.borrow();
        if state.partitions.contains_key(&partition) {
            return None;
        }
        state.catalog.placement(partition).filter(|shard| *shard != self.inner.shard)
    }

    pub(crate) fn topic(&self, name: &TopicName) -> Option<Topic> {
        self.inner.state.borrow().catalog.topic(name).cloned()
    }

    pub(crate) fn topics(&self) -> Vec<Topic> {
        self.inner.state.borrow().catalog.topics().cloned().collect()
    }

    pub(crate) fn placement(&self, partition: PartitionId) -> Option<ShardId> {
        self.inner.state.borrow().catalog.placement(partition)
    }

    pub(crate) async fn append(&self, id: PartitionId, batch: &[u8]) -> Result<Appended, AppendError> {
        let view = parse(batch)?;
        if let Some(target) = self.elsewhere(id) {
            let request = Request::Append { partition: id, batch: batch.to_vec() };
            return expect_reply!(
                self.inner.call(target, Credit::Data, request).await,
                Append,
                AppendError::Closed
            );
        }
        let (sequence, appended) = self.inner.submit(|inner| inner.submit_append(id, &view)).await?;
        self.inner.committed::<AppendError>(sequence).await?;
        Ok(appended)
    }

    pub(crate) async fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Vec<FetchedBatch<R>>, ReadError> {
        if let Some(target) = self.elsewhere(partition) {
            let request = Request::Read { partition, from, bytes_max };
            let reply = self.inner.call(target, Credit::Data, request).await;
            let batches = expect_reply!(reply, Read, ReadError::Closed)?;
            return Ok(batches.into_iter().map(|batch| FetchedBatch::Remote(batch.into())).collect());
        }
        let batches = self.inner.local_read(partition, from, bytes_max).await?;
        Ok(batches.into_iter().map(FetchedBatch::Local).collect())
    }

    pub(crate) async fn wait_for_data(
        &self,
        partition: PartitionId,
        from: Offset,
        timeout: Option<Duration>,
    ) -> Result<Offset, ReadError> {
        let Some(target) = self.elsewhere(partition) else {
            return self.inner.local_wait(partition, from, timeout).await;
        };
        let begin: Monotonic = self.inner.runtime.now();
        loop {
            let waited = self.inner.runtime.now().since(begin);
            let left = timeout.map_or(REMOTE_WAIT_MAX, |timeout| timeout.saturating_sub(waited));
            let timeout_ns = left.min(REMOTE_WAIT_MAX).as_nanos() as u64;
            let request = Request::Wait { partition, from, timeout_ns };
            let reply = self.inner.call(target, Credit::Wait, request).await;
            let end = expect_reply!(reply, Wait, ReadError::Closed)?;
            let over = timeout.is_some_and(|timeout| self.inner.runtime.now().since(begin) >= timeout);
            if end > from || over {
                return Ok(end);
            }
        }
    }

    pub(crate) async fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError> {
        let Some(target) = self.elsewhere(partition) else { return self.inner.local_bounds(partition) };
        let reply = self.inner.call(target, Credit::Data, Request::Bounds { partition }).await;
        expect_reply!(reply, Bounds, ReadError::Closed)
    }

    pub(crate) async fn find_by_time(
        &self,
        partition: PartitionId,
        search: TimeSearch,
    ) -> Result<Option<StampedOffset>, ReadError> {
        let Some(target) = self.elsewhere(partition) else {
            return self.inner.local_time(partition, search).await;
        };
        let reply = self.inner.call(target, Credit::Data, Request::Time { partition, search }).await;
        expect_reply!(reply, Time, ReadError::Closed)
    }

    pub(crate) fn own_bounds(&self, partition: PartitionId) -> Option<Bounds> {
        self.inner.local_bounds(partition).ok()
    }

    pub(crate) async fn producer_position(
        &self,
        partition: PartitionId,
        producer: ProducerId,
    ) -> Result<Option<ProducerPosition>, ReadError> {
        let Some(target) = self.elsewhere(partition) else {
            return self.inner.local_producer(partition, producer);
        };
        let request = Request::ProducerPosition { partition, producer };
        let reply = self.inner.call(target, Credit::Data, request).await;
        expect_reply!(reply, ProducerPosition, ReadError::Closed)
    }

    pub(crate) async fn set_log_start(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), SetLogStartError> {
        let Some(target) = self.elsewhere(partition) else {
            return self.inner.local_log_start(partition, offset).await;
        };
        let request = Request::SetLogStart { partition, offset };
        let reply = self.inner.call(target, Credit::Data, request).await;
        expect_reply!(reply, SetLogStart, SetLogStartError::Closed)
    }

    pub(crate) async fn producer_id(&self) -> Result<ProducerId, CatalogError> {
        let turn = self.inner.producer_turns.enter();
        turn.front().await;
        let (mut next, mut end) = self.inner.producer_ids.get();
        if next == end {
            let CatalogAnswer::ProducerIds(block) = self.change_catalog(CatalogRequest::ProducerIds).await?
            else {
                unreachable!("producer ids were asked for");
            };
            (next, end) = (block.first.0, block.first.0 + u64::from(block.count));
        }
        self.inner.producer_ids.set((next + 1, end));
        Ok(ProducerId(next))
    }

    pub(crate) async fn name(&self, name: &str) -> Result<StoreId, NameStoreError> {
        let (sequence, number) = self.inner.submit(|inner| inner.submit_name(name)).await?;
        self.inner.committed::<NameStoreError>(sequence).await?;
        Ok(number)
    }

    pub(crate) fn names(&self, prefix: &str) -> Vec<(String, StoreId)> {
        let state = self.inner.state.borrow();
        let from = state.names.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        from.map(|(name, number)| (name.clone(), *number)).collect()
    }

    pub(crate) async fn drop_store(&self, store: StoreId) -> Result<(), CommitError> {
        let draft = plain(EntryKind::StoreDropped, store.0, 0, 0);
        let submitted = self.inner.submit(|inner| {
            if !inner.state.borrow().numbers.contains(&store) {
                return Err(Refused::Error(CommitError::UnknownStore { store }));
            }
            inner.submit_plain(&[draft])
        });
        let (sequence, ()) = submitted.await?;
        self.inner.committed(sequence).await
    }

    pub(crate) fn input_position(&self, task: StoreId, partition: PartitionId) -> Option<Offset> {
        self.inner.state.borrow().inputs.get(&(task, partition)).copied()
    }

    pub(crate) fn with_store<T>(&self, store: StoreId, f: impl FnOnce(&StoreTable) -> T) -> T {
        let state = self.inner.state.borrow();
        match state.stores.get(&store) {
            Some(table) => f(table),
            None => f(&StoreTable::default()),
        }
    }

    pub(crate) async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let (sequence, ()): (Sequence, ()) = self.inner.submit(|inner| inner.submit_commit(commit)).await?;
        self.inner.committed(sequence).await
    }
}
