//! The runtime: one value per shard, cheap to clone, never sent to another thread.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use super::{Buffer, DiskError, File, FileKind, Mesh, OpenMode};
use crate::model::Timestamp;
use crate::shard::MeshMessage;

/// A moment of the monotonic clock. Unit: nanoseconds since an arbitrary beginning; only differences mean
/// anything.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// Time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Which queue of the executor a task runs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Priority {
    /// Requests and the log.
    Foreground,
    /// Filling the segment pool, checkpoints, regrouping.
    Background,
}

/// What the engine asks of the world.
pub trait Runtime: Clone + 'static {
    /// Aligned memory.
    type Buffer: Buffer;
    /// Open files.
    type File: File<Buffer = Self::Buffer>;
    /// This shard's end of the mesh.
    type Mesh: Mesh<MeshMessage>;

    /// The monotonic clock. Drives every time-out.
    fn now(&self) -> Monotonic;

    /// The wall clock. Stamps records; decides nothing that recovery must repeat.
    fn wall_clock(&self) -> Timestamp;

    /// A random number.
    fn random(&self) -> u64;

    /// Runs `task` on this executor until it ends. A panic in it ends every task of the executor.
    fn spawn(&self, priority: Priority, task: impl Future<Output = ()> + 'static);

    /// Ends after `duration`; after none, once the disk operations that have begun are with the device.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static;

    /// Lets other tasks of this executor run.
    fn yield_now(&self) -> impl Future<Output = ()> + 'static;

    /// Whether the running task has used up its time slice and should [`Runtime::yield_now`].
    fn should_yield(&self) -> bool;

    /// Tells the simulator that a rare path was taken; does nothing in production.
    fn mark(&self, event: &'static str) {
        let _ = event;
    }

    /// Ends the process because going on could acknowledge what is not durable: a failed write or flush of a
    /// frame, a broken invariant of the disk. Prints `reason`. May return (in the simulator, and where an
    /// embedder chose to go on without this engine): the caller stays closed and acknowledges nothing more.
    fn halt(&self, reason: &str);

    /// Zeroed memory of `size` bytes, aligned to [`BLOCK_SIZE`](crate::limits::BLOCK_SIZE).
    fn allocate(&self, size: usize) -> Self::Buffer;

    /// As [`Runtime::allocate`], but with arbitrary content, for those who set every byte that they write.
    fn allocate_dirty(&self, size: usize) -> Self::Buffer;

    /// This shard's end of the mesh.
    fn mesh(&self) -> &Self::Mesh;

    /// Makes the folder `path` and its parents, if they do not exist.
    fn create_folder(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>>;

    /// Names of the files in folder `path`, sorted; empty if the folder does not exist.
    fn list_folder(&self, path: &Path) -> impl Future<Output = Result<Vec<String>, DiskError>>;

    /// Makes the names in folder `path` durable.
    fn sync_folder(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>>;

    /// Opens a file.
    fn open(
        &self,
        path: &Path,
        kind: FileKind,
        mode: OpenMode,
    ) -> impl Future<Output = Result<Self::File, DiskError>>;

    /// Removes a file's name.
    fn remove(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>>;
}
