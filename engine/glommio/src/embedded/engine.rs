//! Opening and closing a data folder.

use std::fmt;
use std::fs::DirBuilder;
use std::future::{Future, poll_fn};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use thalweg_engine::client::ShardClient;
use thalweg_engine::folder::{Folder, FolderError};
use thalweg_engine::io::{DiskError, Priority, Runtime};
use thalweg_engine::limits::{SEGMENT_FILES_OPEN_MAX, SHARDS_MAX};
use thalweg_engine::log::{FlushMethod, RecoveryReport};
use thalweg_engine::model::ShardId;
use thalweg_engine::shard::{OpenError, Shard, ShardOptions};

use super::device::{self, Device};
use super::fate::{Alarm, Fate};
use super::message::ThreadMessage;
use super::service::serve;
use super::{Client, ClosedError, EngineOptions, OpenEngineError};
use crate::executors::{Watch, start_watched};
use crate::gateway::{ThreadReceiver, reply_slot, thread_gateway};
use crate::preflight::{self, DESCRIPTORS_PER_EXECUTOR, PreflightError};
use crate::{Executors, FolderLock, GlommioRuntime, RuntimeOptions, start};

/// Requests of threads that one shard keeps waiting; more block their threads.
pub(super) const GATEWAY_CAPACITY: usize = 1024;

/// A data folder that is open.
///
/// Dropping it closes it as [`Engine::close`] does, and blocks the thread for as long; only the outcome is lost.
/// Dropped on one of its own shards, which cannot wait for itself, it is closed by a thread of its own. The folder
/// stays locked until the last shard has ended.
pub struct Engine {
    client: Client,
    /// `None` when they have been told to end.
    executors: Option<Executors<()>>,
    info: EngineInfo,
    notes: Vec<String>,
}

/// What an open data folder is like.
#[derive(Clone, Debug)]
pub struct EngineInfo {
    /// Where it is.
    pub path: PathBuf,
    /// Number of its shards.
    pub shards: u16,
    /// The device that holds it.
    pub device: Device,
    /// How writes are made durable.
    pub flush: FlushMethod,
    /// What each shard found when it was opened.
    pub recovery: Vec<RecoveryReport>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the data folder at `path`, or makes one where there is nothing, readable by its owner only.
    ///
    /// On return every shard has recovered: what was acknowledged before can be read.
    ///
    /// # Errors
    /// [`OpenEngineError`]; nothing is left running then.
    pub fn open(path: &Path, options: EngineOptions) -> Result<Self, OpenEngineError> {
        let path = make_folder(path)?;
        // Before anything is opened: what lacks descriptors says so in its own, less helpful words.
        check_open_files(DESCRIPTORS_PER_EXECUTOR)?;
        let lock = Arc::new(FolderLock::acquire(&path)?);
        let folder = open_folder_alone(&path, &options)?;
        check_open_files(files_of(&folder, options.log.pool_target))?;
        let device = device::learn(&path, &options.runtime, options.flush.is_none())?;
        let flush = options.flush.unwrap_or(device.flush);
        let mut shard_options = ShardOptions {
            log: options.log,
            offsets_retention: options.offsets_retention,
            producer_expiry: options.producer_expiry,
            ..ShardOptions::default()
        };
        shard_options.log.flush = flush;
        let (client, executors, recovery) = start_shards(&folder, shard_options, &options.runtime, lock)?;
        let mut notes = executors.notes().to_vec();
        notes.extend(device.notes.iter().cloned());
        let info = EngineInfo { path, shards: folder.shards, device, flush, recovery };
        Ok(Self { client, executors: Some(executors), info, notes })
    }

    /// For ordinary threads.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// What the folder is like.
    #[must_use]
    pub fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// What an operator should know about this machine, a sentence each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Runs `task` on every shard, each time with that shard's client, until it ends or the engine is closed.
    /// A panic of it ends the engine: see [`ClosedError::Panicked`].
    ///
    /// # Errors
    /// [`ClosedError`], if a shard has ended.
    pub fn on_each_shard<F, T>(&self, task: F) -> Result<(), ClosedError>
    where
        F: Fn(ShardClient<GlommioRuntime>) -> T + Clone + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        for gateway in self.client.gateways() {
            let task = task.clone();
            let job = Box::new(move |client: ShardClient<GlommioRuntime>| {
                let runtime = client.runtime().clone();
                runtime.spawn(Priority::Foreground, task(client));
            });
            gateway.send(ThreadMessage::Run(job)).map_err(|_| self.client.why_closed())?;
        }
        Ok(())
    }

    /// Closes the folder: what was accepted becomes durable, everything after is refused, the shards end and
    /// the folder is unlocked. Blocks this thread until then.
    ///
    /// # Errors
    /// [`ClosedError`], if a shard had ended before; nothing is left running then either.
    /// # Panics
    /// On one of the engine's own shards, which cannot wait for itself.
    pub fn close(mut self) -> Result<(), ClosedError> {
        let executors = self.executors.as_ref().expect("taken by `close` and `drop` only");
        assert!(!executors.is_this_thread(), "a shard cannot wait for itself to end: close elsewhere");
        self.executors.take().map_or(Ok(()), |executors| end(&self.client, executors))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(executors) = self.executors.take() else { return };
        let client = self.client.clone();
        if !executors.is_this_thread() {
            // Clients learn why, if it did not end well.
            let _ = end(&client, executors);
            return;
        }
        // Without a thread for it, the shards end when the last client goes.
        let closing = std::thread::Builder::new().name("close".to_owned());
        let _ = closing.spawn(move || end(&client, executors));
    }
}

/// Closes every shard, and waits until the last executor has ended.
fn end(client: &Client, executors: Executors<()>) -> Result<(), ClosedError> {
    let mut outcome = Ok(());
    let mut closing = Vec::new();
    for gateway in client.gateways() {
        let (slot, closed) = reply_slot();
        match gateway.send(ThreadMessage::Close { slot }) {
            Ok(()) => closing.push(closed),
            Err(_) => outcome = Err(()),
        }
    }
    for closed in closing {
        if closed.wait().is_err() {
            outcome = Err(());
        }
    }
    for gateway in client.gateways() {
        // A shard that has ended needs no telling.
        let _ = gateway.send(ThreadMessage::End);
    }
    if executors.outcomes().iter().any(Result::is_err) {
        outcome = Err(());
    }
    outcome.map_err(|()| client.why_closed())
}

fn check_open_files(more: u64) -> Result<(), OpenEngineError> {
    preflight::check_open_files(more).map_err(|error| OpenEngineError::Machine(error.into()))
}

/// Files of one log that are open beside its sealed segments and its pool: superblock, checkpoint, the segments
/// being written.
const FILES_BESIDE_SEGMENTS: u64 = 8;

/// Files that the engine will have open at once in `folder` as it is now.
fn files_of(folder: &Folder, pool_target: usize) -> u64 {
    let of_log = |shard| {
        // What cannot be listed fails when it is opened, or is made then.
        let files = std::fs::read_dir(folder.shard(ShardId(shard))).map_or(0, Iterator::count);
        files.min(SEGMENT_FILES_OPEN_MAX) + pool_target
    };
    let of_logs: usize = (0..folder.shards).map(of_log).sum();
    let each = DESCRIPTORS_PER_EXECUTOR + FILES_BESIDE_SEGMENTS;
    of_logs as u64 + u64::from(folder.shards) * each
}

fn make_folder(path: &Path) -> Result<PathBuf, OpenEngineError> {
    let unusable = |source| OpenEngineError::Io { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
    path.canonicalize().map_err(unusable)
}

/// Reads or makes the manifest, on an executor of its own: how many shards there will be follows from it.
fn open_folder_alone(path: &Path, options: &EngineOptions) -> Result<Folder, OpenEngineError> {
    let runtime_options = RuntimeOptions { pin: false, ..options.runtime.clone() };
    let (folder, shards) = (path.to_owned(), options.shards);
    let executors = start(1, &runtime_options, move |runtime, _| {
        let folder = folder.clone();
        async move { open_folder(&runtime, &folder, shards).await }
    })?;
    let opened = executors.join().remove(0);
    opened.map_err(|source| match source {
        // The first file is where it shows; the remedy is the machine's.
        FolderError::Disk(DiskError::NoDirectIo { .. }) => {
            OpenEngineError::Machine(PreflightError::NoDirectIo { path: path.to_owned() }.into())
        }
        source => OpenEngineError::Folder { path: path.to_owned(), source },
    })
}

async fn open_folder(
    runtime: &GlommioRuntime,
    path: &Path,
    shards: Option<u16>,
) -> Result<Folder, FolderError> {
    match Folder::open(runtime, path).await {
        Ok(folder) if shards.is_none() => return Ok(folder),
        Ok(_) | Err(FolderError::NotADataFolder { .. }) => {}
        Err(error) => return Err(error),
    }
    Folder::open_or_create(runtime, path, shards.unwrap_or_else(default_shards)).await
}

/// Memory for buffers beside the tail cache's: frames on their way, and reads. Bytes.
const BESIDE_CACHE: usize = 32 << 20;

/// One shard per core.
fn default_shards() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u16::try_from(cores).unwrap_or(SHARDS_MAX).min(SHARDS_MAX)
}

type Started = (Client, Executors<()>, Vec<RecoveryReport>);
/// What each shard says once it is open, or is not.
type Opened = flume::Sender<(ShardId, Result<RecoveryReport, OpenError>)>;

fn start_shards(
    folder: &Folder,
    options: ShardOptions,
    runtime_options: &RuntimeOptions,
    lock: Arc<FolderLock>,
) -> Result<Started, OpenEngineError> {
    let buffers = runtime_options.registered_memory_bytes.unwrap_or(options.log.cache_bytes + BESIDE_CACHE);
    let runtime_options =
        &RuntimeOptions { registered_memory_bytes: Some(buffers), ..runtime_options.clone() };
    let (gateways, receivers): (Vec<_>, Vec<_>) =
        (0..folder.shards).map(|_| thread_gateway(GATEWAY_CAPACITY)).unzip();
    let (fate, alarms) = Fate::new(folder.shards);
    let ends: Arc<[_]> = receivers.into_iter().zip(alarms).map(|ends| Mutex::new(Some(ends))).collect();
    let client = Client::new(gateways.into(), Arc::clone(&fate));
    let (opened, outcomes) = flume::unbounded();
    let (owned, shared) = (folder.clone(), Arc::clone(&fate));
    let to_open = Arc::new(AtomicU16::new(folder.shards));
    let watch = Watch {
        keep: Some(lock),
        on_panic: Some(Arc::new(move |shard, message| fate.panicked(shard, message))),
    };
    let executors = start_watched(folder.shards, runtime_options, &watch, move |runtime, id| {
        let ends = ends[usize::from(id.0)].lock().unwrap_or_else(PoisonError::into_inner).take();
        let (requests, alarm) = ends.expect("a shard starts once");
        let mut options = options.clone();
        options.log.home = Some(owned.home(id));
        let opening =
            Opening { folder: owned.clone(), to_open: Arc::clone(&to_open), opened: opened.clone() };
        shard_main(runtime, id, opening, options, requests, Arc::clone(&shared), alarm)
    })?;
    match recovered(&client, &outcomes, folder) {
        Ok(recovery) => Ok((client, executors, recovery)),
        Err(error) => {
            // Without senders, the shards that were opened close again.
            drop(client);
            executors.outcomes();
            Err(error)
        }
    }
}

/// Waits until every shard is open; what each found, in their order.
fn recovered(
    client: &Client,
    outcomes: &flume::Receiver<(ShardId, Result<RecoveryReport, OpenError>)>,
    folder: &Folder,
) -> Result<Vec<RecoveryReport>, OpenEngineError> {
    let mut recovery = Vec::new();
    let mut failure: Option<(ShardId, OpenError)> = None;
    for (shard, outcome) in outcomes.iter().take(usize::from(folder.shards)) {
        match outcome {
            Ok(report) => recovery.push((shard, report)),
            // That the catalog's writer is closed follows from the writer's own failure, which says why.
            Err(OpenError::WriterClosed) if failure.is_some() => {}
            Err(error) => {
                if failure.as_ref().is_none_or(|(_, known)| *known == OpenError::WriterClosed) {
                    failure = Some((shard, error));
                }
            }
        }
    }
    if let Some((shard, source)) = failure {
        return Err(OpenEngineError::Shard { path: folder.path.clone(), shard, source });
    }
    if recovery.len() < usize::from(folder.shards) {
        return Err(OpenEngineError::Panicked(client.why_closed()));
    }
    recovery.sort_by_key(|(shard, _)| *shard);
    Ok(recovery.into_iter().map(|(_, report)| report).collect())
}

/// What the shards of an engine share while they open.
struct Opening {
    folder: Folder,
    /// Shards that are not open yet.
    to_open: Arc<AtomicU16>,
    opened: Opened,
}

impl Opening {
    /// One more shard is open; the last one makes durable that all of them have been made.
    async fn one_more(&mut self, runtime: &GlommioRuntime) -> Result<(), OpenError> {
        if self.to_open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(());
        }
        self.folder.complete(runtime).await.map_err(|source| OpenError::Manifest { source })
    }
}

/// One shard's life.
async fn shard_main(
    runtime: GlommioRuntime,
    id: ShardId,
    mut opening: Opening,
    options: ShardOptions,
    requests: ThreadReceiver<ThreadMessage>,
    fate: Arc<Fate>,
    alarm: Alarm,
) {
    let (shards, path) = (opening.folder.shards, opening.folder.shard(id));
    let opened = Shard::open(runtime.clone(), id, shards, &path, options);
    // Another shard's panic: this one may be waiting for it.
    let Some(outcome) = before(opened, alarm.rung()).await else { return };
    match outcome {
        Ok((shard, report)) => {
            let outcome = opening.one_more(&runtime).await.map(|()| report);
            // Gone is whoever opens the engine: then nobody sends requests either, and the shard closes.
            drop(opening.opened.send((id, outcome)));
            drop(opening);
            serve(shard, requests, &fate, alarm).await;
        }
        Err(error) => {
            drop(opening.opened.send((id, Err(error))));
            drop(opening);
            // Other shards may still be opening, and ask this one: the executor goes on until all are told.
            while requests.receive().await.is_some() {}
        }
    }
}

/// What `work` comes to, if that is before `end`.
async fn before<T>(work: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut end) = (pin!(work), pin!(end));
    poll_fn(|context| {
        if end.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}
