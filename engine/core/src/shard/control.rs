//! The catalog between shards: shard 0 writes, everybody applies.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use super::calls::Credit;
use super::inner::{Inner, Shard};
use super::submit::plain;
use super::wake::Handover;
use super::{Reply, Request};
use crate::catalog::{
    Applied, Catalog, CatalogAnswer, CatalogChange, CatalogError, CatalogRequest, CatalogVersion, Change,
};
use crate::io::{Priority, Runtime};
use crate::limits::{FRAME_DELETIONS_MAX, NO_SPACE_RETRY};
use crate::log::DraftEntry;
use crate::log::format::EntryKind;
use crate::model::{PartitionId, ShardId, SlotId};

/// The shard that writes the catalog.
pub(super) const WRITER: ShardId = ShardId(0);

impl<R: Runtime> Shard<R> {
    /// Changes the catalog, through its writer; ends when every shard has applied the change.
    pub(crate) async fn change_catalog(
        &self,
        request: CatalogRequest,
    ) -> Result<CatalogAnswer, CatalogError> {
        if self.inner.closing.get() {
            return Err(CatalogError::Closed);
        }
        if self.inner.shard == WRITER {
            // In a task of its own: once it is in the log, every shard has to learn of a change, whether the
            // caller still waits or not.
            let handover = Handover::new();
            let (inner, answer) = (Rc::clone(&self.inner), handover.clone());
            self.inner.runtime.spawn(Priority::Foreground, async move {
                answer.give(inner.write_catalog(&request).await);
            });
            return handover.take().await;
        }
        // One at a time, as the writer takes them: the credits of the control plane stay free for the deltas
        // and fetches that a change waits for.
        let turn = self.inner.change_turns.enter();
        turn.front().await;
        match self.inner.call(WRITER, Credit::Control, Request::ChangeCatalog(request)).await {
            Reply::ChangeCatalog(answer) => answer,
            Reply::Closed => Err(CatalogError::Closed),
            other => unreachable!("a change of the catalog was answered with {other:?}"),
        }
    }

    pub(super) fn serve_delta(&self, from: ShardId, token: u64, version: CatalogVersion, change: &[u8]) {
        let change = CatalogChange::decode(change).expect("the writer sends changes of its own");
        let applied = {
            let mut state = self.inner.state.borrow_mut();
            let ready = state.catalog_ready;
            let applied = if ready { state.catalog.apply(&change) } else { Applied::Gap };
            if applied == Applied::Done {
                state.follow_catalog();
            }
            applied
        };
        if applied != Applied::Gap {
            self.inner.send_reply(from, token, Reply::CatalogDelta);
            self.settle_catalog();
            return;
        }
        self.inner.runtime.mark("catalog-gap");
        self.answer(from, token, async move |shard| {
            match shard.inner.fetch_catalog(|catalog| catalog.version() >= version).await {
                Ok(()) => Reply::CatalogDelta,
                Err(_) => Reply::Closed,
            }
        });
    }

    /// Begins what the catalog makes due: writes that the data of deleted partitions may go, in a task of its own.
    pub(super) fn settle_catalog(&self) {
        self.begin_compaction();
        if !self.inner.state.borrow().to_delete.is_empty() {
            let inner = Rc::clone(&self.inner);
            self.inner.runtime.spawn(Priority::Background, inner.write_deletions());
        }
    }
}

impl<R: Runtime> Inner<R> {
    /// Decides a change, makes it durable, and has every shard apply it. One at a time.
    pub(super) async fn write_catalog(
        self: &Rc<Self>,
        request: &CatalogRequest,
    ) -> Result<CatalogAnswer, CatalogError> {
        assert_eq!(self.shard, WRITER, "the catalog has one writer");
        let turn = self.catalog_turns.enter();
        turn.front().await;
        let (change, answer) = {
            let state = self.state.borrow();
            // Somebody else asked before.
            if *request == CatalogRequest::PlaceSlots && state.catalog.slot(SlotId(0)).is_some() {
                return Ok(CatalogAnswer::SlotsPlaced);
            }
            let change = state.catalog.plan(request, self.shards)?;
            let answer = state.catalog.answer(&change.change);
            (change, answer)
        };
        let payload = change.encode();
        let draft = match change.change {
            // It gives room back, and so has no payload.
            Change::TopicDeleted { topic } => plain(EntryKind::TopicDeleted, topic.0, change.version.0, 0),
            _ => DraftEntry { payload: &payload, ..plain(EntryKind::CatalogChange, 0, change.version.0, 0) },
        };
        let (sequence, ()) = self.submit::<_, CatalogError>(|inner| inner.submit_plain(&[draft])).await?;
        self.committed::<CatalogError>(sequence).await?;
        let everywhere = self.tell_everyone(change.version, &payload).await;
        self.settle_catalog();
        if everywhere { Ok(answer) } else { Err(CatalogError::Closed) }
    }

    /// Whether every shard has applied the change.
    async fn tell_everyone(&self, version: CatalogVersion, change: &[u8]) -> bool {
        let tell = |shard| {
            let request = Request::CatalogDelta { version, change: change.to_vec() };
            let call = self.call(shard, Credit::Control, request);
            Box::pin(async move { matches!(call.await, Reply::CatalogDelta) })
                as Pin<Box<dyn Future<Output = _> + '_>>
        };
        let mut calls: Vec<_> = self.others().map(tell).collect();
        let mut everywhere = true;
        poll_fn(|context| {
            calls.retain_mut(|call| match call.as_mut().poll(context) {
                Poll::Ready(applied) => {
                    everywhere &= applied;
                    false
                }
                Poll::Pending => true,
            });
            if calls.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        everywhere
    }

    fn settle_catalog(self: &Rc<Self>) {
        Shard { inner: Rc::clone(self) }.settle_catalog();
    }

    /// Makes this shard's copy of the catalog one that is `enough`, as the writer's is.
    pub(super) async fn fetch_catalog(
        self: &Rc<Self>,
        enough: impl Fn(&Catalog) -> bool,
    ) -> Result<(), CatalogError> {
        if self.shard == WRITER {
            return Ok(());
        }
        let turn = self.catalog_turns.enter();
        turn.front().await;
        let known = {
            let state = self.state.borrow();
            state.catalog_ready && enough(&state.catalog)
        };
        if known {
            return Ok(());
        }
        let bytes = match self.call(WRITER, Credit::Control, Request::CatalogFetch).await {
            Reply::CatalogFetch(bytes) => bytes,
            Reply::Closed => return Err(CatalogError::Closed),
            other => unreachable!("a fetch of the catalog was answered with {other:?}"),
        };
        let fetched = Catalog::decode(&bytes).expect("the writer sends a catalog of its own");
        let mut state = self.state.borrow_mut();
        // A change may have been applied while the whole was on its way.
        if fetched.version() > state.catalog.version() || !state.catalog_ready {
            state.catalog = fetched;
            state.follow_catalog();
        }
        assert!(enough(&state.catalog), "the writer's catalog has what another shard knows of it");
        drop(state);
        self.settle_catalog();
        Ok(())
    }

    /// Whether this shard's copy of the catalog is new enough to say what the partition is.
    pub(super) fn knows(&self, partition: PartitionId) -> bool {
        self.state.borrow().catalog.was_given(partition)
    }

    /// Fetches the catalog, if this shard's copy is too old to say what the partition is. The writer's is not:
    /// whoever asks about the partition learned of it from there. If the writer is closed, nothing changes.
    pub(super) async fn learn_of(self: &Rc<Self>, partition: PartitionId) {
        if !self.knows(partition) {
            self.runtime.mark("catalog-refreshed");
            let _closed = self.fetch_catalog(|catalog| catalog.was_given(partition)).await;
        }
    }

    async fn write_deletions(self: Rc<Self>) {
        loop {
            let drafts: Vec<DraftEntry<'static>> = {
                let mut state = self.state.borrow_mut();
                let count = state.to_delete.len().min(FRAME_DELETIONS_MAX);
                let deleted = state.to_delete.drain(..count);
                deleted.map(|partition| plain(EntryKind::PartitionDeleted, partition.0, 0, 0)).collect()
            };
            if drafts.is_empty() {
                return;
            }
            // Without an answer to wait for: what a crash takes is found again at the next start.
            while let Err(error) = self.submit::<_, CatalogError>(|inner| inner.submit_plain(&drafts)).await {
                if error == CatalogError::Closed {
                    return;
                }
                self.runtime.sleep(NO_SPACE_RETRY).await;
            }
        }
    }
}
