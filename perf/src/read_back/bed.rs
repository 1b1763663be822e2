//! Many partitions written side by side, and ways to read one.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use thalweg_engine::catalog::{Partition, TopicSettings};
use thalweg_engine::client::{AppendError, FetchedBatch, ReadError, ShardClient};
use thalweg_engine::io::{Buffer, DiskError, File, OpenMode, Priority, Runtime};
use thalweg_engine::log::LogOptions;
use thalweg_engine::model::{Offset, PartitionId, TopicName};
use thalweg_runtime::{Engine, GlommioRuntime};

use crate::bed::{Latch, batch_of_size, on_shard, open};
use crate::floor::{Method, Target, Turn};
use crate::session::Session;

/// Size of a batch. Bytes.
pub(super) const BATCH_SIZE: usize = 16 << 10;

/// Records of a batch have this size. Bytes.
const RECORD_SIZE: usize = 1 << 10;

/// Tasks that write side by side.
const WRITERS: usize = 32;

/// Bytes of one read, of a partition and of a file.
pub(super) const READ_SIZE: usize = 1 << 20;

/// How often to look whether batches are still being moved, and how long nothing may have been until it is over.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
const QUIET_LOOKS: u32 = 12;

/// Looks after which waiting is given up: ten minutes.
const LOOKS_MAX: u32 = 2400;

/// An engine with a topic of several partitions.
pub(super) struct Bed {
    pub(super) engine: Engine,
    pub(super) partitions: Vec<Partition>,
}

impl Bed {
    /// Makes a topic of `partitions` partitions in `folder`.
    pub(super) fn make(
        session: &Session,
        folder: &Path,
        partitions: u32,
        options: LogOptions,
    ) -> Result<Self> {
        let engine = open(folder, session.engine, options)?;
        let topic = engine.client().create_topic(&topic_name(), partitions, TopicSettings::default())?;
        Ok(Self { engine, partitions: topic.partitions })
    }

    /// Opens it again.
    pub(super) fn reopen(session: &Session, folder: &Path, options: LogOptions) -> Result<Self> {
        let engine = open(folder, session.engine, options)?;
        let topic = engine.client().topic(&topic_name())?.context("the topic is there")?;
        Ok(Self { engine, partitions: topic.partitions })
    }

    /// Appends `bytes` in all, batch by batch to one partition after the other.
    pub(super) fn fill(&self, bytes: u64) -> Result<()> {
        let ids: Vec<PartitionId> = self.partitions.iter().map(|partition| partition.id).collect();
        let batches = bytes / BATCH_SIZE as u64;
        on_shard(&self.engine, move |client| {
            let ids = ids.clone();
            async move { fill(client, ids, batches).await }
        })??;
        Ok(())
    }

    /// Reads all of one partition.
    pub(super) fn read(&self, partition: usize) -> Result<Turn> {
        let id = self.partitions[partition].id;
        Ok(on_shard(&self.engine, move |client| async move { read_all(&client, id).await })??)
    }

    /// Appends `bytes` to the first partition; returns the offset of the first.
    pub(super) fn append_to_first(&self, bytes: u64) -> Result<Offset> {
        let id = self.partitions[0].id;
        on_shard(&self.engine, move |client| async move {
            let from = client.bounds(id).await?.end;
            fill(client, vec![id], bytes / BATCH_SIZE as u64).await?;
            Ok(from)
        })?
    }

    /// Reads the first partition from `from` to its end, over and over for `duration`.
    pub(super) fn read_first_from(&self, from: Offset, duration: Duration) -> Result<Turn> {
        let id = self.partitions[0].id;
        Ok(on_shard(&self.engine, move |client| async move {
            let begin = client.runtime().now();
            let mut all = Turn::default();
            while all.elapsed < duration {
                all.bytes += read_from(&client, id, from).await?.bytes;
                all.elapsed = client.runtime().now().since(begin);
            }
            Ok::<_, ReadError>(all)
        })??)
    }

    /// Reads that the tail cache answered, and those that it did not.
    pub(super) fn cache_counts(&self) -> Result<(u64, u64)> {
        on_shard(&self.engine, |client| async move {
            let status = client.log_status();
            (status.cache_hits, status.cache_misses)
        })
    }

    /// Waits until no batches are moved any more; returns how many bytes were.
    pub(super) fn await_quiet(&self) -> Result<u64> {
        on_shard(&self.engine, |client| async move {
            let (mut before, mut quiet) = (u64::MAX, 0);
            for _ in 0..LOOKS_MAX {
                let moved = client.log_status().regrouped_bytes;
                quiet = if moved == before && moved > 0 { quiet + 1 } else { 0 };
                before = moved;
                if quiet == QUIET_LOOKS {
                    return Ok(moved);
                }
                client.runtime().sleep(LOOK_INTERVAL).await;
            }
            anyhow::bail!("batches are still being moved after ten minutes, or none ever were")
        })?
    }
}

fn topic_name() -> TopicName {
    TopicName::new("read-back").expect("a valid name")
}

async fn fill<R: Runtime>(
    client: ShardClient<R>,
    ids: Vec<PartitionId>,
    batches: u64,
) -> Result<(), AppendError> {
    let batch = Rc::new(batch_of_size(BATCH_SIZE, RECORD_SIZE));
    let next = Rc::new(std::cell::Cell::new(0));
    let failure = Rc::new(std::cell::Cell::new(None));
    let latch = Latch::new(WRITERS);
    let ids = Rc::new(ids);
    for _ in 0..WRITERS {
        let (client, batch, next, failure, latch, ids) =
            (client.clone(), batch.clone(), next.clone(), failure.clone(), latch.clone(), ids.clone());
        let runtime = client.runtime().clone();
        runtime.spawn(Priority::Foreground, async move {
            loop {
                let number: u64 = next.get();
                if number >= batches {
                    break;
                }
                next.set(number + 1);
                let id = ids[(number % ids.len() as u64) as usize];
                if let Err(error) = client.append(id, &batch).await {
                    failure.set(Some(error));
                    next.set(batches);
                }
            }
            latch.count_down();
        });
    }
    latch.wait().await;
    failure.take().map_or(Ok(()), Err)
}

async fn read_all<R: Runtime>(client: &ShardClient<R>, id: PartitionId) -> Result<Turn, ReadError> {
    let start = client.bounds(id).await?.start;
    read_from(client, id, start).await
}

async fn read_from<R: Runtime>(
    client: &ShardClient<R>,
    id: PartitionId,
    from: Offset,
) -> Result<Turn, ReadError> {
    let end = client.bounds(id).await?.end;
    let begin = client.runtime().now();
    let (mut turn, mut at) = (Turn::default(), from);
    while at < end {
        let read_begin = client.runtime().now();
        let batches = client.read(id, at, READ_SIZE).await?;
        turn.latencies.record(client.runtime().now().since(read_begin));
        at = batches.last().map_or(Offset(u64::MAX), FetchedBatch::end);
        turn.bytes += batches.iter().map(|batch| size_of(batch) as u64).sum::<u64>();
    }
    turn.elapsed = client.runtime().now().since(begin);
    Ok(turn)
}

pub(super) fn size_of<R: Runtime>(batch: &FetchedBatch<R>) -> usize {
    match batch {
        FetchedBatch::Local(batch) => batch.bytes.len(),
        FetchedBatch::Remote(batch) => batch.bytes.len(),
    }
}

/// A file of one's own, read the same way: from its beginning, one read at a time.
pub(super) struct OwnFile {
    path: PathBuf,
}

impl OwnFile {
    /// Makes one of `size` bytes, rounded up to whole reads.
    pub(super) fn make(engine: &Engine, path: &Path, size: u64) -> Result<Self> {
        let (path, size) = (path.to_owned(), size.next_multiple_of(READ_SIZE as u64));
        let target = path.clone();
        on_shard(engine, move |client| {
            let target = target.clone();
            async move { Target::fill(client.runtime(), &target, size).await }
        })?
        .context("the file could not be written")?;
        Ok(Self { path })
    }

    /// Reads `size` bytes of it.
    pub(super) fn read(&self, engine: &Engine, size: u64) -> Result<Turn> {
        let path = self.path.clone();
        let turn = on_shard(engine, move |client| {
            let path = path.clone();
            async move { read_file(client.runtime(), &path, size).await }
        })?
        .context("the file could not be read")?;
        ensure!(turn.bytes >= size, "the file is shorter than what was written");
        Ok(turn)
    }
}

async fn read_file(runtime: &GlommioRuntime, path: &Path, size: u64) -> Result<Turn, DiskError> {
    let file = runtime.open(path, Method::Flush.file_kind(), OpenMode::Existing).await?;
    let begin = runtime.now();
    let mut turn = Turn::default();
    while turn.bytes < size {
        let read_begin = runtime.now();
        let buffer = file.read_at(turn.bytes, READ_SIZE).await?;
        turn.latencies.record(runtime.now().since(read_begin));
        if buffer.bytes().is_empty() {
            break;
        }
        turn.bytes += buffer.bytes().len() as u64;
    }
    turn.elapsed = runtime.now().since(begin);
    Ok(turn)
}
