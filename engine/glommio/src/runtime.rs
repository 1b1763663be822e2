//! The engine's runtime on one executor.

use std::future::Future;
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use glommio::{Latency, Shares, TaskQueueHandle};
use thalweg_engine::io::{DiskError, FileKind, Monotonic, OpenMode, Priority, Runtime};
use thalweg_engine::model::{ShardId, Timestamp};
use thalweg_engine::shard::MeshMessage;

use crate::buffer::AlignedBuffer;
use crate::clock::{self, Random};
use crate::file::{self, DiskFile};
use crate::folder;
use crate::mesh::MeshEnd;
use crate::operation::Operations;
use crate::options::{HALT_EXIT_CODE, RuntimeOptions};
use crate::pulse::Pulse;
use crate::tasks::{Panic, PanicHook, Tasks};

/// Shares of the executor's time when both queues have work: background gets a twentieth.
const FOREGROUND_SHARES: usize = 1000;
const BACKGROUND_SHARES: usize = 50;

/// Longest sleep: a thousand years. Behind it an instant overflows.
const SLEEP_MAX: Duration = Duration::from_secs(1000 * 366 * 24 * 3600);

/// The runtime of one shard. Clones are the same runtime.
#[derive(Clone)]
pub struct GlommioRuntime(Rc<Inner>);

struct Inner {
    shard: ShardId,
    options: RuntimeOptions,
    foreground: TaskQueueHandle,
    background: TaskQueueHandle,
    operations: Rc<Operations>,
    tasks: Rc<Tasks>,
    random: Random,
    mesh: MeshEnd<MeshMessage>,
}

impl GlommioRuntime {
    /// The runtime for the executor that this thread runs, whose foreground queue is `foreground`.
    pub(crate) fn new(
        shard: ShardId,
        options: RuntimeOptions,
        foreground: TaskQueueHandle,
        mesh: MeshEnd<MeshMessage>,
        pulse: Arc<Pulse>,
        on_panic: PanicHook,
    ) -> Self {
        let background = glommio::executor().create_task_queue(
            Shares::Static(BACKGROUND_SHARES),
            Latency::Matters(options.time_slice),
            "background",
        );
        Self(Rc::new(Inner {
            shard,
            foreground,
            background,
            operations: Operations::new(foreground),
            tasks: Tasks::new(pulse, on_panic),
            random: Random::from_kernel(),
            mesh,
            options,
        }))
    }

    /// The shard-log that this executor runs.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.0.shard
    }

    /// Runs `main` in the foreground; its output, or the first panic of any task.
    pub(crate) async fn run<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> Result<T, Panic> {
        self.0.tasks.run(self.0.foreground, main).await
    }

    /// Drops every task, outside of an executor that has failed. What the device may still use is leaked.
    pub(crate) fn abandon(&self) {
        self.0.operations.abandon();
        self.0.tasks.close();
    }

    /// Drops every task, then waits for the disk operations in flight.
    pub(crate) async fn close(&self) {
        self.0.tasks.close();
        self.0.operations.close().await;
        // Glommio closes buffered files and drops closed tasks in its next turn; without one their descriptors
        // would stay open.
        glommio::timer::Timer::new(Duration::from_micros(1)).await;
    }
}

/// The queue for requests and the log. A queue's latency is its time slice, and makes a wake-up from another
/// thread interrupt what runs.
pub(crate) fn foreground_queue(time_slice: Duration) -> TaskQueueHandle {
    glommio::executor().create_task_queue(
        Shares::Static(FOREGROUND_SHARES),
        Latency::Matters(time_slice),
        "foreground",
    )
}

impl Runtime for GlommioRuntime {
    type Buffer = AlignedBuffer;
    type File = DiskFile;
    type Mesh = MeshEnd<MeshMessage>;

    fn now(&self) -> Monotonic {
        clock::monotonic()
    }

    fn wall_clock(&self) -> Timestamp {
        clock::wall()
    }

    fn random(&self) -> u64 {
        self.0.random.next()
    }

    /// As the trait says. Tasks that still run when the shard's main future ends are dropped.
    fn spawn(&self, priority: Priority, task: impl Future<Output = ()> + 'static) {
        let queue = match priority {
            Priority::Foreground => self.0.foreground,
            Priority::Background => self.0.background,
        };
        self.0.tasks.spawn(queue, task);
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would borrow the runtime")]
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        async move {
            glommio::timer::Timer::new(duration.min(SLEEP_MAX)).await;
        }
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would borrow the runtime")]
    fn yield_now(&self) -> impl Future<Output = ()> + 'static {
        async { glommio::executor().yield_now().await }
    }

    fn should_yield(&self) -> bool {
        glommio::executor().need_preempt()
    }

    fn halt(&self, reason: &str) {
        // Whether or not anybody can be told: it has to end.
        let _ = writeln!(std::io::stderr().lock(), "thalweg: shard {} halted: {reason}", self.0.shard);
        match &self.0.options.on_halt {
            Some(hook) => hook(reason),
            // SAFETY: ends the process and touches no memory. No destructor and no exit handler may run: they
            // could wait for a shard that waits for the disk.
            None => unsafe { libc::_exit(HALT_EXIT_CODE) },
        }
    }

    fn allocate(&self, size: usize) -> AlignedBuffer {
        AlignedBuffer::zeroed(size)
    }

    fn allocate_dirty(&self, size: usize) -> AlignedBuffer {
        AlignedBuffer::dirty(size)
    }

    fn mesh(&self) -> &MeshEnd<MeshMessage> {
        &self.0.mesh
    }

    fn create_folder(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> {
        folder::create(&self.0.operations, path)
    }

    fn list_folder(&self, path: &Path) -> impl Future<Output = Result<Vec<String>, DiskError>> {
        folder::list(&self.0.operations, path)
    }

    fn sync_folder(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> {
        folder::sync(&self.0.operations, path)
    }

    fn open(
        &self,
        path: &Path,
        kind: FileKind,
        mode: OpenMode,
    ) -> impl Future<Output = Result<DiskFile, DiskError>> {
        file::open(&self.0.operations, path, kind, mode, self.0.options.buffered)
    }

    fn remove(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> {
        folder::remove(&self.0.operations, path)
    }
}
