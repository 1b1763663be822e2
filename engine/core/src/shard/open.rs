//! Opening a shard.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::calls::Calls;
use super::inner::{Inner, Shard};
use super::state::ShardState;
use super::wake::Turnstile;
use super::{MeshMessage, Reply};
use crate::compaction::ForeignBatches;
use crate::io::{DiskError, Mesh, Priority, Runtime};
use crate::limits::{
    BATCH_SIZE_MAX, COMPACTION_INTERVAL, COMPACTION_MEMORY_DEFAULT, FRAME_COMPANIONS_SIZE,
    OFFSETS_RETENTION_DEFAULT, OUTBOX_TRIM_DELAY_DEFAULT, PRODUCER_EXPIRY_DEFAULT, SHARDS_MAX,
};
use crate::log::format::FRAME_HEADER_SIZE;
use crate::log::{self, Log, LogOptions, RecoveryReport};
use crate::model::{PartitionId, ShardId};
use crate::retention::LogClock;

/// How a shard is set up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShardOptions {
    /// How its log is set up.
    pub log: LogOptions,
    /// How long committed offsets of a group without members are kept, from the commit or from when the last member left,
    /// whichever was later; counted by the log's own clock, which no step of the wall clock moves.
    pub offsets_retention: Duration,
    /// How long a partition remembers a producer that appends nothing to it, by the log's own clock; zero: as long as there
    /// are not too many. Frames tell it, so that a log that is read again gives the same state whatever is set then.
    pub producer_expiry: Duration,
    /// Bytes of memory for the keys that one compaction remembers; a partition with more is compacted in several passes.
    pub compaction_memory: usize,
    /// Time between two looks for partitions to compact.
    pub compaction_interval: Duration,
    /// Who looks into foreign batches of compacted topics.
    pub foreign: ForeignBatches,
}

impl Default for ShardOptions {
    fn default() -> Self {
        Self {
            log: LogOptions::default(),
            offsets_retention: OFFSETS_RETENTION_DEFAULT,
            producer_expiry: PRODUCER_EXPIRY_DEFAULT,
            compaction_memory: COMPACTION_MEMORY_DEFAULT,
            compaction_interval: COMPACTION_INTERVAL,
            foreign: ForeignBatches::default(),
        }
    }
}

/// Why a shard could not be opened.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// Its log could not be opened.
    #[error(transparent)]
    Log(#[from] log::OpenError),
    /// The catalog is older than what the shard holds: shard 0's log is not the one that belongs to it.
    #[error(
        "shard {shard} holds partition {partition}, which the catalog in shard 0 has not made yet: one of the \
             two is an older copy"
    )]
    CatalogOlder {
        /// The shard.
        shard: ShardId,
        /// The partition.
        partition: PartitionId,
    },
    /// That all shards have been made could not be written down.
    #[error("the manifest could not be written")]
    Manifest {
        /// What the disk answered.
        source: DiskError,
    },
    /// The shard that writes the catalog was closed, or could not be opened itself: its error says why.
    #[error("the shard that writes the catalog is closed")]
    WriterClosed,
}

impl<R: Runtime> Shard<R> {
    /// Opens shard `shard` of `shards`, whose log lies in `folder`, and starts what it does by itself: answering
    /// other shards and taking in their outboxes.
    ///
    /// All shards of a data folder are opened at the same time, each on its executor: every shard but the
    /// first ends its start with the catalog that shard 0 sends. If this fails, the executor must go on until
    /// the others' opening has ended as well, since they are told.
    ///
    /// # Errors
    /// [`OpenError`]; nothing of the shard runs then but a task that refuses other shards' requests.
    /// # Panics
    /// If `shard` is not one of `shards`, or there are more than [`SHARDS_MAX`].
    pub async fn open(
        runtime: R,
        shard: ShardId,
        shards: u16,
        folder: &Path,
        options: ShardOptions,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        assert!(shard.0 < shards && shards <= SHARDS_MAX, "a shard is one of those of its data folder");
        let ShardOptions { offsets_retention, producer_expiry, .. } = options;
        let room = options.log.frame_size_max.saturating_sub(FRAME_HEADER_SIZE + FRAME_COMPANIONS_SIZE);
        let state = Rc::new(RefCell::new(ShardState::new(runtime.clone(), shard)));
        let opened = Log::open(runtime.clone(), folder, options.log, Rc::clone(&state)).await;
        let (log, report) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let refuser = runtime.clone();
                runtime.spawn(Priority::Foreground, refuse_everything(refuser));
                return Err(error.into());
            }
        };
        let last = state.borrow().clock;
        let clock = LogClock::begin(last, runtime.now(), runtime.wall_clock());
        let shard = Self {
            inner: Rc::new(Inner {
                runtime,
                shard,
                shards,
                log,
                state,
                busy: Turnstile::default(),
                catalog_turns: Turnstile::default(),
                change_turns: Turnstile::default(),
                calls: RefCell::new(Calls::new(shards)),
                closing: Cell::new(false),
                outbox_trim_delay: Cell::new(OUTBOX_TRIM_DELAY_DEFAULT),
                clock: RefCell::new(clock),
                clock_told: Cell::new(None),
                offsets_retention,
                producer_expiry,
                compacts: Cell::new(false),
                compacted: Cell::default(),
                compaction_memory: options.compaction_memory,
                compaction_interval: options.compaction_interval,
                foreign: options.foreign,
                batch_limit: room.min(BATCH_SIZE_MAX),
                producer_ids: Cell::new((0, 0)),
                producer_turns: Turnstile::default(),
            }),
        };
        shard.start().await?;
        Ok((shard, report))
    }

    async fn start(&self) -> Result<(), OpenError> {
        let inner = &self.inner;
        inner.runtime.spawn(Priority::Foreground, self.clone().pump());
        let watched = Rc::clone(inner);
        inner.runtime.spawn(Priority::Foreground, async move {
            watched.log.closed().await;
            watched.refuse_pending();
        });
        if inner.shard == super::control::WRITER {
            inner.state.borrow_mut().follow_catalog();
        } else if inner.fetch_catalog(|_| true).await.is_err() {
            inner.closing.set(true);
            inner.log.close().await;
            return Err(OpenError::WriterClosed);
        }
        let ungiven = {
            let state = inner.state.borrow();
            state.ungiven(&state.catalog)
        };
        if let Some(partition) = ungiven {
            inner.closing.set(true);
            inner.log.close().await;
            return Err(OpenError::CatalogOlder { shard: inner.shard, partition });
        }
        self.settle_catalog();
        self.begin_retention();
        for source in inner.others() {
            inner.runtime.spawn(Priority::Foreground, self.clone().pull_outbox(source));
        }
        Ok(())
    }
}

/// Answers every request with a refusal, so that no other shard waits for one that could not be opened.
async fn refuse_everything<R: Runtime>(runtime: R) {
    while let Some((from, message)) = runtime.mesh().receive().await {
        if let MeshMessage::Request { token, .. } = message {
            let sent = runtime.mesh().try_send(from, MeshMessage::Reply { token, reply: Reply::Closed });
            assert!(sent.is_ok(), "a reply has its place in the mesh since its request had");
        }
    }
}
