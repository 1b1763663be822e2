//! The shard itself: what its tasks share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::calls::Calls;
use super::state::ShardState;
use super::wake::Turnstile;
use super::{MeshMessage, Reply};
use crate::compaction::ForeignBatches;
use crate::io::{Mesh, Monotonic, Runtime};
use crate::log::{Log, LogStatus};
use crate::model::ShardId;
use crate::retention::LogClock;

/// What compaction did on a shard since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Compacted {
    /// Passes over a partition.
    pub passes: u64,
    /// Records that went because a later one has their key.
    pub superseded: u64,
    /// Tombstones that went.
    pub tombstones: u64,
}

/// One shard: cheap to clone, belongs to one executor thread.
pub struct Shard<R: Runtime> {
    pub(super) inner: Rc<Inner<R>>,
}

impl<R: Runtime> Clone for Shard<R> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

pub(super) struct Inner<R: Runtime> {
    pub(super) runtime: R,
    pub(super) shard: ShardId,
    pub(super) shards: u16,
    pub(super) log: Log<R>,
    pub(super) state: Rc<RefCell<ShardState<R>>>,
    /// Appends that the log was too busy for, in order.
    pub(super) busy: Turnstile,
    /// Changes of the catalog, or fetches of it: one at a time.
    pub(super) catalog_turns: Turnstile,
    /// Changes that this shard asks the catalog's writer for: one at a time.
    pub(super) change_turns: Turnstile,
    pub(super) calls: RefCell<Calls>,
    pub(super) closing: Cell<bool>,
    pub(super) outbox_trim_delay: Cell<Duration>,
    pub(super) clock: RefCell<LogClock>,
    /// When a frame of this start told the clock last.
    pub(super) clock_told: Cell<Option<Monotonic>>,
    /// How long committed offsets of a group without members are kept.
    pub(super) offsets_retention: Duration,
    /// Silence after which a producer is forgotten.
    pub(super) producer_expiry: Duration,
    /// The task that compacts runs.
    pub(super) compacts: Cell<bool>,
    pub(super) compacted: Cell<Compacted>,
    /// Bytes of memory for the keys of one compaction.
    pub(super) compaction_memory: usize,
    pub(super) compaction_interval: Duration,
    pub(super) foreign: ForeignBatches,
    /// Largest batch that fits into a frame with what may travel with it. Bytes.
    pub(super) batch_limit: usize,
    /// Producer ids of this shard's block that are left: the next, and behind the last.
    pub(super) producer_ids: Cell<(u64, u64)>,
    pub(super) producer_turns: Turnstile,
}

impl<R: Runtime> Shard<R> {
    /// This shard.
    #[must_use]
    pub fn id(&self) -> ShardId {
        self.inner.shard
    }

    /// Number of shards of the data folder.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.inner.shards
    }

    /// The runtime that the shard lives in.
    #[must_use]
    pub fn runtime(&self) -> &R {
        &self.inner.runtime
    }

    /// Numbers about the shard's log.
    #[must_use]
    pub fn log_status(&self) -> LogStatus {
        self.inner.log.status()
    }

    /// What compaction has done.
    #[must_use]
    pub fn compacted(&self) -> Compacted {
        self.inner.compacted.get()
    }

    /// Makes a checkpoint now, beyond those that the log makes by itself.
    ///
    /// # Errors
    /// [`CheckpointError`](crate::log::CheckpointError); the checkpoint before it stays in force.
    pub async fn checkpoint(&self) -> Result<(), crate::log::CheckpointError> {
        self.inner.log.checkpoint().await
    }

    /// Bytes of memory that the state stores hold.
    #[must_use]
    pub fn stores_memory_size(&self) -> usize {
        self.inner.state.borrow().stores.values().map(crate::store::StoreTable::memory_size).sum()
    }

    /// Sets how long a committed outbox position waits for others before the source is told to trim;
    /// [`OUTBOX_TRIM_DELAY_DEFAULT`](crate::limits::OUTBOX_TRIM_DELAY_DEFAULT) at the start. Each trim is a
    /// write at the source.
    pub fn set_outbox_trim_delay(&self, delay: Duration) {
        self.inner.outbox_trim_delay.set(delay);
    }

    /// Throws away everything that was decided and is not committed, and derives it anew from the frames in
    /// flight. Nobody can tell the difference; tests use it to show that.
    pub fn forget_speculation(&self) {
        let mut state = self.inner.state.borrow_mut();
        let is_in_flight = !state.speculation.in_flight.is_empty();
        state.forget_speculation();
        drop(state);
        self.inner.runtime.mark(if is_in_flight { "speculation-rebuilt" } else { "speculation-forgotten" });
    }

    /// Closes the shard: what was accepted becomes durable, everything after it is refused, tasks that wait are
    /// told. Needs no other shard. Other shards' requests are answered with a refusal for as long as the
    /// executor runs.
    pub async fn close(&self) {
        let inner = &self.inner;
        if !inner.closing.replace(true) {
            inner.wake_everyone();
        }
        inner.log.close().await;
        inner.refuse_pending();
    }
}

impl<R: Runtime> Inner<R> {
    /// Wakes every task that waits for records or for other shards; they see that the shard is closing.
    fn wake_everyone(&self) {
        let mut state = self.state.borrow_mut();
        for partition in state.partitions.values_mut() {
            partition.waiters.wake_all();
        }
        for outbox in state.outboxes.values_mut() {
            outbox.waiters.wake_all();
        }
        state.retaining.give();
        drop(state);
        self.calls.borrow_mut().close();
    }

    /// The log is closed: who still waits for a frame will never know.
    pub(super) fn refuse_pending(&self) {
        self.closing.set(true);
        self.wake_everyone();
        let mut state = self.state.borrow_mut();
        for pending in std::mem::take(&mut state.pending) {
            state.send_reply(pending.to, pending.token, Reply::Closed);
        }
    }

    /// The other shards.
    pub(super) fn others(&self) -> impl Iterator<Item = ShardId> + use<R> {
        let own = self.shard;
        (0..self.shards).map(ShardId).filter(move |shard| *shard != own)
    }

    pub(super) fn send_reply(&self, to: ShardId, token: u64, reply: Reply) {
        self.state.borrow().send_reply(to, token, reply);
    }

    pub(super) fn send(&self, to: ShardId, message: MeshMessage) {
        let sent = self.runtime.mesh().try_send(to, message);
        assert!(sent.is_ok(), "a request with a credit has its place in the mesh");
    }
}
