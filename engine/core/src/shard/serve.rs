//! What other shards ask of this one.

use std::rc::Rc;
use std::time::Duration;

use super::inner::{Inner, Shard};
use super::state::PendingReply;
use super::submit::{Refused, SubmitError, parse};
use super::{MeshMessage, OwnedBatch, Reply, Request};
use crate::client::{AppendError, Appended, ReadError, SetLogStartError};
use crate::io::{Mesh, Priority, Runtime};
use crate::limits::REMOTE_WAIT_MAX;
use crate::model::{Offset, PartitionId, Sequence, ShardId};

impl<R: Runtime> Shard<R> {
    /// Takes in messages of other shards for as long as there are any. Never waits for anything else.
    pub(super) async fn pump(self) {
        while let Some((from, message)) = self.inner.runtime.mesh().receive().await {
            match message {
                MeshMessage::Reply { token, reply } => self.inner.calls.borrow_mut().replied(token, reply),
                MeshMessage::Request { token, .. } if self.inner.closing.get() => {
                    self.inner.send_reply(from, token, Reply::Closed);
                }
                MeshMessage::Request { token, request } => self.serve(from, token, request),
            }
        }
    }

    fn serve(&self, from: ShardId, token: u64, request: Request) {
        let inner = &self.inner;
        match request {
            Request::Append { partition, batch } => self.serve_append(from, token, partition, batch),
            Request::SetLogStart { partition, offset } => {
                self.serve_log_start(from, token, partition, offset);
            }
            Request::Bounds { partition } => {
                let reply = inner.knows(partition).then(|| Reply::Bounds(inner.local_bounds(partition)));
                self.reply_or_learn(from, token, partition, reply, move |inner| {
                    Reply::Bounds(inner.local_bounds(partition))
                });
            }
            Request::ProducerPosition { partition, producer } => {
                let answer = move |inner: &Inner<R>| {
                    Reply::ProducerPosition(inner.local_producer(partition, producer))
                };
                let reply = inner.knows(partition).then(|| answer(inner));
                self.reply_or_learn(from, token, partition, reply, answer);
            }
            Request::Read { partition, from: offset, bytes_max } => {
                self.answer(from, token, async move |shard| {
                    shard.inner.learn_of(partition).await;
                    Reply::Read(shard.inner.read_owned(partition, offset, bytes_max).await)
                })
            }
            Request::Time { partition, search } => self.answer(from, token, async move |shard| {
                shard.inner.learn_of(partition).await;
                Reply::Time(shard.inner.local_time(partition, search).await)
            }),
            Request::Wait { partition, from: offset, timeout_ns } => {
                let limit = Duration::from_nanos(timeout_ns).min(REMOTE_WAIT_MAX);
                self.answer(from, token, async move |shard| {
                    shard.inner.learn_of(partition).await;
                    Reply::Wait(shard.inner.local_wait(partition, offset, Some(limit)).await)
                });
            }
            Request::ChangeCatalog(request) => self.answer(from, token, async move |shard| {
                Reply::ChangeCatalog(shard.inner.write_catalog(&request).await)
            }),
            Request::CatalogDelta { version, change } => self.serve_delta(from, token, version, &change),
            Request::CatalogFetch => {
                let catalog = inner.state.borrow().catalog.encode();
                inner.send_reply(from, token, Reply::CatalogFetch(catalog));
            }
            Request::OutboxPull { from: number, bytes_max } => self.answer(from, token, async move |shard| {
                Reply::OutboxPull(shard.inner.outbox_batches(from, number, bytes_max).await)
            }),
            Request::OutboxTrim { up_to } => {
                self.trim_outbox(from, up_to);
                inner.send_reply(from, token, Reply::OutboxTrim);
            }
            Request::Group(request) => self.serve_group(from, token, request),
        }
    }

    /// Answers with what `work` comes to, in a task of its own.
    pub(super) fn answer<F>(&self, to: ShardId, token: u64, work: F)
    where
        F: AsyncFnOnce(&Self) -> Reply + 'static,
    {
        let shard = self.clone();
        self.inner.runtime.spawn(Priority::Foreground, async move {
            let reply = work(&shard).await;
            shard.inner.send_reply(to, token, reply);
        });
    }

    /// Sends `reply`, or, if the partition may be in a catalog that is newer than this shard's, learns of it
    /// first and then answers.
    fn reply_or_learn(
        &self,
        to: ShardId,
        token: u64,
        partition: PartitionId,
        reply: Option<Reply>,
        answer: impl Fn(&Inner<R>) -> Reply + 'static,
    ) {
        match reply {
            Some(reply) => self.inner.send_reply(to, token, reply),
            None => self.answer(to, token, async move |shard| {
                shard.inner.learn_of(partition).await;
                answer(&shard.inner)
            }),
        }
    }

    fn serve_append(&self, from: ShardId, token: u64, partition: PartitionId, batch: Vec<u8>) {
        let view = match parse(&batch) {
            Ok(view) => view,
            Err(error) => {
                let error = AppendError::Batch(error);
                return self.inner.send_reply(from, token, Reply::Append(Err(error)));
            }
        };
        let waits = !self.inner.busy.is_empty() || !self.inner.knows(partition);
        let attempt = if waits { Err(Refused::Busy) } else { self.inner.submit_append(partition, &view) };
        match attempt {
            Ok((sequence, appended)) => self.reply_at(sequence, from, token, Reply::Append(Ok(appended))),
            Err(Refused::Error(error)) => self.inner.send_reply(from, token, Reply::Append(Err(error))),
            Err(Refused::Busy) => {
                let turn = self.inner.busy.enter();
                self.answer(from, token, async move |shard| {
                    Reply::Append(shard.append_later(turn, partition, &batch).await)
                });
            }
        }
    }

    async fn append_later(
        &self,
        turn: super::wake::Turn,
        partition: PartitionId,
        batch: &[u8],
    ) -> Result<Appended, AppendError> {
        let view = parse(batch).map_err(AppendError::Batch)?;
        self.inner.learn_of(partition).await;
        let (sequence, appended) =
            self.inner.submit_at(turn, |inner| inner.submit_append(partition, &view)).await?;
        self.inner.committed::<AppendError>(sequence).await?;
        Ok(appended)
    }

    fn serve_log_start(&self, from: ShardId, token: u64, partition: PartitionId, offset: Offset) {
        self.answer(from, token, async move |shard| {
            shard.inner.learn_of(partition).await;
            Reply::SetLogStart(shard.inner.local_log_start(partition, offset).await)
        });
    }

    /// Sends `reply` when frame `sequence` is committed.
    pub(super) fn reply_at(&self, sequence: Sequence, to: ShardId, token: u64, reply: Reply) {
        if sequence <= self.inner.log.committed() {
            return self.inner.send_reply(to, token, reply);
        }
        let pending = PendingReply { sequence, to, token, reply };
        self.inner.state.borrow_mut().pending.push_back(pending);
    }
}

impl<R: Runtime> Inner<R> {
    /// Ends when the frame is committed.
    pub(super) async fn committed<E: SubmitError>(&self, sequence: Sequence) -> Result<(), E> {
        self.log.wait_committed(sequence).await.map_err(|_| E::closed())
    }

    pub(super) async fn local_log_start(
        self: &Rc<Self>,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), SetLogStartError> {
        let (sequence, ()) = self.submit(|inner| inner.submit_log_start(partition, offset)).await?;
        self.committed(sequence).await
    }

    async fn read_owned(
        &self,
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Vec<OwnedBatch>, ReadError> {
        let batches = self.local_read(partition, from, bytes_max).await?;
        Ok(batches.iter().map(OwnedBatch::copy_of).collect())
    }
}
