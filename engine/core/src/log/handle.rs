//! The log, as the shard holds it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::checkpoint::{SUPERBLOCK_NAME, run_keeper, write_superblock};
use super::format::EntryKind;
use super::read::{first_since, largest_since, read};
use super::recover::open;
use super::regroup::run_regrouper;
use super::segment::run_filler;
use super::shared::{Phase, Shared};
use super::signal::commit_outcome;
use super::write::{Purpose, run_writer};
use super::{
    AppendError, CheckpointError, Closed, DraftEntry, LogOptions, LogStatus, OpenError, ReadBatch, ReadError,
    RecoveryReport, StateMachine, StreamBounds,
};
use crate::io::{DiskError, Priority, Runtime};
use crate::model::{LogId, Offset, Sequence, StreamId, Timestamp};

/// The log of one shard. Cheap to clone; all clones are the same log.
///
/// It runs until [`Log::close`]: dropping every handle does not end it.
pub struct Log<R: Runtime> {
    pub(super) shared: Rc<Shared<R>>,
}

impl<R: Runtime> Clone for Log<R> {
    fn clone(&self) -> Self {
        Self { shared: Rc::clone(&self.shared) }
    }
}

impl<R: Runtime> Log<R> {
    /// Opens the log in `folder`, or makes one there, and brings `state` up to its last frame.
    ///
    /// The folder belongs to this log alone, and to one process. `state` must be empty. On return everything
    /// that can be read is durable, and this start is too.
    ///
    /// # Errors
    /// [`OpenError`]; nothing on disk was changed then, except that a new log may be half made.
    pub async fn open<S: StateMachine + 'static>(
        runtime: R,
        folder: &Path,
        options: LogOptions,
        state: Rc<RefCell<S>>,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let (shared, report) = open(runtime, folder, options, state).await?;
        shared.spawn(Priority::Foreground, run_writer(Rc::clone(&shared)));
        shared.spawn(Priority::Background, run_filler(Rc::clone(&shared)));
        shared.spawn(Priority::Background, run_keeper(Rc::clone(&shared)));
        shared.spawn(Priority::Background, run_regrouper(Rc::clone(&shared)));
        let log = Self { shared };
        if report.damage_accepted.is_some() {
            log.supersede().await;
        }
        Ok((log, report))
    }

    /// Writes a frame of this start in the place of a lost one: what lies behind it and knows the lost one durable
    /// is a leftover from then on, and is not damage to be accepted again.
    ///
    /// If it cannot be written for want of room, the next start asks again; if the log fails, it says so to
    /// whoever uses it.
    async fn supersede(&self) {
        let shared = &self.shared;
        loop {
            let appended = shared.tail.borrow_mut().append_empty(&shared.runtime, Purpose::Relief);
            match appended {
                Ok(sequence) => {
                    shared.writer.give();
                    let _ = self.wait_committed(sequence).await;
                    return;
                }
                Err(AppendError::Busy) => {
                    shared.filler.give();
                    if self.ready().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Puts `entries` into the open frame, all into one, and returns the number that the frame will have.
    ///
    /// On return nothing is durable: the frame is committed when [`StateMachine::apply`] is given it. Payloads
    /// are copied. Frames become committed in the order of their numbers.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was written then.
    /// # Panics
    /// If `entries` is empty.
    pub fn append(&self, entries: &[DraftEntry<'_>]) -> Result<Sequence, AppendError> {
        assert!(!entries.is_empty(), "an append has at least one entry");
        let shared = &*self.shared;
        if shared.is_closed() {
            return Err(AppendError::Closed);
        }
        let purpose = if entries.iter().all(gives_room) { Purpose::Relief } else { Purpose::Ordinary };
        let mut result = shared.tail.borrow_mut().append(&shared.runtime, entries, purpose);
        // Unless it is for a checkpoint's want of room, which [`Log::ready`] does not wait for then.
        let may_wait = || shared.learn_whether_reclaiming() && !shared.tail.borrow().is_ready();
        if result == Err(AppendError::NoSpace) && may_wait() {
            shared.runtime.mark("busy-reclaiming");
            shared.keeper.give();
            result = Err(AppendError::Busy);
        }
        if result == Err(AppendError::Busy) {
            shared.runtime.mark("busy");
            shared.count(|status| status.busy += 1);
            // It may be for want of a segment.
            shared.filler.give();
        }
        if shared.tail.borrow().is_checkpoint_room_due() {
            shared.keeper.give();
        }
        // Also after a refusal: the open frame may have been closed for it.
        shared.writer.give();
        result
    }

    /// Ends when [`Log::append`] need no longer refuse as busy.
    ///
    /// # Errors
    /// [`Closed`], if the log is closed.
    pub async fn ready(&self) -> Result<(), Closed> {
        poll_fn(|context| {
            if self.shared.is_closed() {
                return Poll::Ready(Err(Closed));
            }
            if self.shared.tail.borrow().is_ready() {
                return Poll::Ready(Ok(()));
            }
            self.shared.ready.register(context);
            Poll::Pending
        })
        .await
    }

    /// The highest frame committed, as are all before it.
    #[must_use]
    pub fn committed(&self) -> Sequence {
        self.shared.last().sequence
    }

    /// Ends when frame `sequence` is committed and the state has it. Those who wait are woken in the order of
    /// their frames.
    ///
    /// # Errors
    /// [`Closed`], if the log closed before: whether the frame is durable is then not known.
    #[must_use]
    pub fn wait_committed(&self, sequence: Sequence) -> WaitCommitted<R> {
        WaitCommitted::new(&self.shared, sequence)
    }

    /// Ends when the log has closed, by [`Log::close`] or by itself after a failure.
    pub async fn closed(&self) {
        poll_fn(|context| {
            if self.shared.is_stopped() {
                return Poll::Ready(());
            }
            self.shared.changed.register(context);
            Poll::Pending
        })
        .await;
    }

    /// Bounds of `stream` as committed; `None` if the log holds nothing of it.
    #[must_use]
    pub fn bounds(&self, stream: StreamId) -> Option<StreamBounds> {
        self.shared.index.borrow().bounds(stream)
    }

    /// Reads whole batches of `stream`, the first of which holds `from`.
    ///
    /// As many as fit into `bytes_max` bytes, but at least one if there is one; none if `from` is the end.
    /// Fewer may be returned than there are. Every batch from the disk has its checksum.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(
        &self,
        stream: StreamId,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Vec<ReadBatch<R>>, ReadError> {
        read(&self.shared, stream, from, bytes_max).await
    }

    /// The first batch of `stream` that holds `from` or lies behind it and whose largest timestamp is `timestamp` or
    /// later; `None` if there is none. Its record of that time may lie before `from` if the batch begins there.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub async fn first_since(
        &self,
        stream: StreamId,
        from: Offset,
        timestamp: Timestamp,
    ) -> Result<Option<ReadBatch<R>>, ReadError> {
        first_since(&self.shared, stream, from, timestamp).await
    }

    /// The largest timestamp of all batches of `stream` that begin at `from` or behind it; `None` if there is none.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub async fn largest_since(
        &self,
        stream: StreamId,
        from: Offset,
    ) -> Result<Option<Timestamp>, ReadError> {
        largest_since(&self.shared, stream, from).await
    }

    /// Makes a checkpoint of everything committed now. The log also makes them by itself.
    ///
    /// # Errors
    /// [`CheckpointError`]; the checkpoint before it stays in force.
    pub async fn checkpoint(&self) -> Result<(), CheckpointError> {
        let shared = &self.shared;
        let number = shared.checkpoints.ask();
        shared.keeper.give();
        poll_fn(|context| {
            if let Some(outcome) = shared.checkpoints.outcome(number) {
                return Poll::Ready(outcome);
            }
            if shared.is_closed() {
                return Poll::Ready(Err(CheckpointError::Closed));
            }
            shared.changed.register(context);
            Poll::Pending
        })
        .await
    }

    /// Closes the log: what was appended becomes durable, one more frame records that, or the superblock where
    /// there is no room for it, and every operation is awaited. Appends are refused from the call on.
    pub async fn close(&self) {
        let shared = &self.shared;
        shared.enter(Phase::Closing);
        self.settled().await;
        if !shared.is_stopped() && !shared.is_durability_recorded() {
            let appended = shared.tail.borrow_mut().append_empty(&shared.runtime, Purpose::Ordinary);
            if appended.is_ok() {
                shared.writer.give();
                self.settled().await;
            }
        }
        shared.enter(Phase::Stopped);
        poll_fn(|context| {
            if shared.tasks() == 0 {
                return Poll::Ready(());
            }
            shared.changed.register(context);
            Poll::Pending
        })
        .await;
        if !shared.is_failed() && !shared.is_durability_recorded() {
            shared.runtime.mark("closed-without-room");
            shared.durability_recorded();
            match write_superblock(shared, |_| {}).await {
                // Where even a block that is there takes room, the next start finds out by itself.
                Ok(()) | Err(DiskError::NoSpace { .. }) => {}
                Err(error) => shared.fail(&format!("{SUPERBLOCK_NAME} could not be written: {error}")),
            }
        }
    }

    /// Ends when nothing is open, waiting or in flight, or the log has failed.
    async fn settled(&self) {
        poll_fn(|context| {
            if self.shared.is_stopped() || self.shared.tail.borrow().is_idle() {
                return Poll::Ready(());
            }
            self.shared.changed.register(context);
            Poll::Pending
        })
        .await;
    }

    /// What the log is doing and has done.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        self.shared.status()
    }

    /// The runtime that the log lives in.
    pub(crate) fn runtime(&self) -> &R {
        &self.shared.runtime
    }

    /// The log's random name.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.shared.log
    }
}

/// Whether an entry lets the log give room back, so that it is taken even when there is hardly any.
fn gives_room(draft: &DraftEntry<'_>) -> bool {
    draft.payload.is_empty() && draft.entry.known_kind().is_some_and(EntryKind::lets_go)
}

/// See [`Log::wait_committed`].
pub struct WaitCommitted<R: Runtime> {
    shared: Rc<Shared<R>>,
    sequence: Sequence,
    /// 0 before the first poll.
    ticket: u64,
}

impl<R: Runtime> WaitCommitted<R> {
    pub(super) fn new(shared: &Rc<Shared<R>>, sequence: Sequence) -> Self {
        Self { shared: Rc::clone(shared), sequence, ticket: 0 }
    }
}

impl<R: Runtime> Future for WaitCommitted<R> {
    type Output = Result<(), Closed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (committed, closed) = (this.shared.last().sequence, this.shared.is_stopped());
        if let Some(outcome) = commit_outcome(this.sequence, committed, closed) {
            return Poll::Ready(outcome);
        }
        this.ticket = this.shared.waiters.borrow_mut().register(this.sequence, this.ticket, context.waker());
        Poll::Pending
    }
}

impl<R: Runtime> Drop for WaitCommitted<R> {
    fn drop(&mut self) {
        self.shared.waiters.borrow_mut().forget(self.sequence, self.ticket);
    }
}
