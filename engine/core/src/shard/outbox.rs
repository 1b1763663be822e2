//! Records on their way between shards: the source keeps them in its own log, the target pulls them, writes
//! them together with the position behind them, and then lets the source forget.
//!
//! Invariant: a batch is taken in exactly once, since batch and position become durable together, and a pull
//! after a crash begins at the durable position.

use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use super::calls::Credit;
use super::inner::{Inner, Shard};
use super::read::read_error;
use super::submit::{outbox_stream, plain};
use super::{OutboxBatch, Reply, Request};
use crate::client::{AppendError, ReadError};
use crate::io::{Priority, Runtime};
use crate::limits::{NO_SPACE_RETRY, OUTBOX_PULL_BATCHES, OUTBOX_PULL_SIZE};
use crate::log::format::EntryKind;
use crate::model::{Offset, PartitionId, ShardId};

// The target's side.
impl<R: Runtime> Shard<R> {
    /// Takes in the outbox of `source` until either shard closes.
    pub(super) async fn pull_outbox(self, source: ShardId) {
        let mut from = self.inner.state.borrow_mut().inboxes.entry(source).or_default().position;
        if from > 0 {
            // What a crash kept from being trimmed is trimmed now.
            self.trim_source(source);
        }
        let bytes_max = OUTBOX_PULL_SIZE.min(self.inner.batch_limit);
        loop {
            let request = Request::OutboxPull { from, bytes_max };
            let batches = match self.inner.call(source, Credit::Control, request).await {
                Reply::OutboxPull(Ok(batches)) => batches,
                Reply::OutboxPull(Err(ReadError::Closed)) | Reply::Closed => return,
                Reply::OutboxPull(Err(error)) => {
                    let reason =
                        format!("the outbox of shard {source} cannot be read from batch {from}: {error}");
                    return self.inner.runtime.halt(&reason);
                }
                other => unreachable!("a pull of an outbox was answered with {other:?}"),
            };
            for batch in &batches {
                assert_eq!(batch.number, from, "an outbox is dense");
                self.inner.learn_of(batch.partition).await;
                from += 1;
            }
            self.inner.runtime.mark("outbox-pulled");
            if self.take_in(source, from, &batches).await.is_err() {
                return;
            }
            self.trim_source(source);
        }
    }

    /// Writes `batches` and the position behind them, in as few frames as they fit into.
    async fn take_in(&self, source: ShardId, position: u64, batches: &[OutboxBatch]) -> Result<(), ()> {
        let mut rest = batches;
        let mut count = rest.len();
        while !rest.is_empty() {
            count = count.min(rest.len());
            let (now, later) = rest.split_at(count);
            let behind = position - later.len() as u64;
            match self.inner.submit(|inner| inner.submit_inbox(source, behind, now)).await {
                Ok(_) => rest = later,
                Err(AppendError::BatchTooLarge { .. }) if count > 1 => {
                    self.inner.runtime.mark("outbox-split");
                    count = count.div_ceil(2);
                }
                Err(AppendError::NoSpace) => self.inner.runtime.sleep(NO_SPACE_RETRY).await,
                Err(AppendError::Closed) => return Err(()),
                // It was part of a larger frame at its source: only smaller frames here explain this.
                Err(error) => {
                    let reason = format!("a batch of the outbox of shard {source} was refused: {error}");
                    self.inner.runtime.halt(&reason);
                    return Err(());
                }
            }
        }
        Ok(())
    }

    /// Tells `source` what it may forget, a little later, so that one message speaks for many batches.
    fn trim_source(&self, source: ShardId) {
        {
            let mut state = self.inner.state.borrow_mut();
            let inbox = state.inboxes.entry(source).or_default();
            if std::mem::replace(&mut inbox.trimming, true) {
                return;
            }
        }
        let inner = Rc::clone(&self.inner);
        self.inner
            .runtime
            .spawn(Priority::Background, async move { while inner.trim_source_once(source).await {} });
    }
}

// The source's side.
impl<R: Runtime> Shard<R> {
    /// Forgets what `target` has made durable; at most one frame for it is under way.
    pub(super) fn trim_outbox(&self, target: ShardId, up_to: u64) {
        {
            let mut state = self.inner.state.borrow_mut();
            let outbox = state.outboxes.entry(target).or_default();
            assert!(up_to <= outbox.end, "a target trims what it was given");
            outbox.trim_wanted = outbox.trim_wanted.max(up_to);
            if outbox.trim_wanted <= outbox.start || std::mem::replace(&mut outbox.trimming, true) {
                return;
            }
        }
        let inner = Rc::clone(&self.inner);
        self.inner.runtime.spawn(Priority::Background, inner.write_trims(target));
    }
}

impl<R: Runtime> Inner<R> {
    /// Tells `source` of the committed position, if it is news; whether more is on its way.
    async fn trim_source_once(&self, source: ShardId) -> bool {
        self.runtime.sleep(self.outbox_trim_delay.get()).await;
        let up_to = {
            let mut state = self.state.borrow_mut();
            let inbox = state.inboxes.entry(source).or_default();
            let news = inbox.position > inbox.trimmed;
            inbox.trimmed = inbox.position;
            inbox.trimming = inbox.next > inbox.position || news;
            if !inbox.trimming || self.closing.get() {
                return false;
            }
            news.then_some(inbox.position)
        };
        if let Some(up_to) = up_to {
            self.call(source, Credit::Control, Request::OutboxTrim { up_to }).await;
        }
        true
    }

    async fn write_trims(self: Rc<Self>, target: ShardId) {
        loop {
            let up_to = {
                let mut state = self.state.borrow_mut();
                let outbox = state.outboxes.entry(target).or_default();
                outbox.trimming = outbox.trim_wanted > outbox.start;
                if !outbox.trimming {
                    return;
                }
                outbox.trim_wanted
            };
            let draft = plain(EntryKind::OutboxTrim, u64::from(target.0), up_to, 0);
            match self.submit::<_, AppendError>(|inner| inner.submit_plain(&[draft])).await {
                Ok((sequence, ())) => {
                    if self.committed::<AppendError>(sequence).await.is_err() {
                        return;
                    }
                    self.runtime.mark("outbox-trimmed");
                }
                Err(AppendError::Closed) => return,
                Err(_) => self.runtime.sleep(NO_SPACE_RETRY).await,
            }
        }
    }

    /// Batches of the outbox for `target` from `from` on, as soon as there is one.
    pub(super) async fn outbox_batches(
        &self,
        target: ShardId,
        from: u64,
        bytes_max: usize,
    ) -> Result<Vec<OutboxBatch>, ReadError> {
        self.outbox_behind(target, from).await?;
        // Only a position that is durable at the target lets this shard forget; `from` is at or behind it.
        let partition = PartitionId(outbox_stream(target).0);
        let read = self.log.read(outbox_stream(target), Offset(from), bytes_max).await;
        let read = read.map_err(|error| read_error(error, partition, Offset(from)))?;
        let batch = |batch: &crate::log::ReadBatch<R>| OutboxBatch {
            number: batch.base.0,
            partition: PartitionId(batch.subject),
            count: batch.count.0 as u32,
            timestamp_max: batch.timestamp_max,
            bytes: batch.bytes.to_vec(),
        };
        Ok(read.iter().take(OUTBOX_PULL_BATCHES).map(batch).collect())
    }

    /// Ends when the outbox for `target` holds batch `from`.
    fn outbox_behind(&self, target: ShardId, from: u64) -> impl Future<Output = Result<(), ReadError>> + '_ {
        let mut ticket = 0;
        poll_fn(move |context| {
            if self.closing.get() {
                return Poll::Ready(Err(ReadError::Closed));
            }
            let mut state = self.state.borrow_mut();
            let outbox = state.outboxes.entry(target).or_default();
            if outbox.end > from {
                return Poll::Ready(Ok(()));
            }
            ticket = outbox.waiters.register(ticket, context);
            Poll::Pending
        })
    }
}
