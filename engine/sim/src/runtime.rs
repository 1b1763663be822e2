//! The runtime of one simulated shard.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::path::Path;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use thalweg_engine::io::{DiskError, FileKind, Monotonic, OpenMode, Priority, Runtime};
use thalweg_engine::model::{ShardId, Timestamp};
use thalweg_engine::shard::MeshMessage;

use crate::clock::{WallRange, nanos};
use crate::disk::{Reply, Request, SimBuffer, SimFile, perform};
use crate::mesh::SimMesh;
use crate::prng::Prng;
use crate::shared::{ProcessId, Shared};
use crate::world::StopAt;

/// What memory holds that nobody has set.
const DIRT: u8 = 0xD1;

const HOUR_MS: i64 = 3_600_000;

/// One shard of a simulated process. When the process is gone, its operations never end and what it spawns
/// is dropped.
#[derive(Clone)]
pub struct SimRuntime {
    inner: Rc<Inner>,
}

struct Inner {
    shared: Rc<Shared>,
    process: ProcessId,
    shard: ShardId,
    mesh: SimMesh<MeshMessage>,
    random: RefCell<Prng>,
    /// Bytes of the buffers that exist.
    allocated: Rc<Cell<usize>>,
}

impl SimRuntime {
    pub(crate) fn new(shared: &Rc<Shared>, shard: ShardId, mesh: SimMesh<MeshMessage>) -> Self {
        let process = shared.process.borrow().id;
        let number = process.0 << 16 | u64::from(shard.0);
        let random = RefCell::new(shared.root.fork_numbered("shard", number));
        Self {
            inner: Rc::new(Inner {
                shared: Rc::clone(shared),
                process,
                shard,
                mesh,
                random,
                allocated: Rc::default(),
            }),
        }
    }

    /// The shard that this runtime belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.inner.shard
    }

    /// Memory of the buffers that exist and were allocated here. Bytes; what reads returned is not among them.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        self.inner.allocated.get()
    }

    /// Virtual time since the world began, which no process can see.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.inner.shared.now_ns())
    }

    /// Steps the wall clock by `milliseconds`, back if negative.
    pub fn step_wall_clock(&self, milliseconds: i64) {
        self.inner.shared.clock.borrow_mut().step_wall(milliseconds);
    }

    /// Lets the wall clock stand still, or go on from where it stands.
    pub fn stop_wall_clock(&self, stopped: bool) {
        self.inner.shared.clock.borrow_mut().stop_wall(stopped);
    }

    /// What the wall clock said between two times since the world began.
    #[must_use]
    pub fn wall_range(&self, from: Duration, to: Duration) -> WallRange {
        self.inner.shared.clock.borrow().wall_range(nanos(from), nanos(to))
    }

    /// Whether the process was asked to end, with [`Runtime::halt`].
    pub(crate) fn is_halted(&self) -> bool {
        self.inner.shared.process.borrow().halted.is_some()
    }

    /// Counts `name` in the world's coverage; see [`World::count`](crate::World::count).
    pub fn count(&self, name: &str) {
        self.inner.shared.recorder.count(name);
    }

    /// How often `name` was counted so far.
    #[must_use]
    pub fn counted(&self, name: &str) -> u64 {
        self.inner.shared.recorder.coverage.borrow().of(name)
    }

    /// Adds a line to the world's trace.
    pub fn trace(&self, what: &'static str, subject: u64, detail: u64) {
        self.inner.shared.trace(what, subject, detail);
    }

    fn perform(&self, request: Request) -> impl Future<Output = Result<Reply, DiskError>> + 'static {
        perform(Rc::clone(&self.inner.shared), self.inner.process, request)
    }

    fn move_wall_clock(&self) {
        let shared = &self.inner.shared;
        let mut timing = shared.timing.borrow_mut();
        if !timing.chance(shared.faults.get().wall_clock) {
            return;
        }
        let mut clock = shared.clock.borrow_mut();
        let step_ms = timing.range(1..100_000) as i64;
        match timing.below(8) {
            0 | 1 => {
                shared.recorder.count("clock.wall_back");
                clock.step_wall(-step_ms);
            }
            2 | 3 => {
                shared.recorder.count("clock.wall_ahead");
                clock.step_wall(step_ms);
            }
            4 => {
                shared.recorder.count("clock.hour_back");
                clock.step_wall(-HOUR_MS);
            }
            5 => {
                shared.recorder.count("clock.year_ahead");
                clock.step_wall(365 * 24 * HOUR_MS);
            }
            _ => {
                shared.recorder.count("clock.wall_stopped");
                let stopped = clock.wall_stopped();
                clock.stop_wall(!stopped);
            }
        }
    }
}

impl Runtime for SimRuntime {
    type Buffer = SimBuffer;
    type File = SimFile;
    type Mesh = SimMesh<MeshMessage>;

    fn now(&self) -> Monotonic {
        let shared = &self.inner.shared;
        Monotonic(shared.process.borrow().clock_base_ns.saturating_add(shared.now_ns()))
    }

    fn wall_clock(&self) -> Timestamp {
        self.move_wall_clock();
        Timestamp(self.inner.shared.clock.borrow().wall_ms())
    }

    fn random(&self) -> u64 {
        self.inner.random.borrow_mut().next_u64()
    }

    fn spawn(&self, priority: Priority, task: impl Future<Output = ()> + 'static) {
        let Inner { shared, process, shard, .. } = &*self.inner;
        if shared.is_running(*process) {
            shared.executor.borrow_mut().add(*shard, priority, false, Box::pin(task));
        }
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        let shared = Rc::clone(&self.inner.shared);
        let deadline_ns = shared.after(duration);
        let mut scheduled: Option<Waker> = None;
        poll_fn(move |context| {
            if shared.now_ns() >= deadline_ns {
                return Poll::Ready(());
            }
            if !scheduled.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                scheduled = Some(context.waker().clone());
                shared.wake_at(deadline_ns, context.waker().clone());
            }
            Poll::Pending
        })
    }

    fn yield_now(&self) -> impl Future<Output = ()> + 'static {
        let shared = Rc::clone(&self.inner.shared);
        let mut yielded = false;
        poll_fn(move |context| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            match shared.late_yield_ns() {
                Some(at_ns) => shared.wake_at(at_ns, context.waker().clone()),
                None => context.waker().wake_by_ref(),
            }
            Poll::Pending
        })
    }

    fn should_yield(&self) -> bool {
        let shared = &self.inner.shared;
        let asked = shared.timing.borrow_mut().chance(shared.faults.get().should_yield);
        if asked {
            shared.recorder.count("run.yield_asked");
        }
        asked
    }

    fn mark(&self, event: &'static str) {
        let Inner { shared, shard, process, .. } = &*self.inner;
        if shared.is_running(*process) {
            shared.recorder.count(event);
            shared.trace(event, u64::from(shard.0), 0);
            shared.note(&StopAt::Mark { event, count: 0 });
        }
    }

    fn halt(&self, reason: &str) {
        let Inner { shared, shard, process, .. } = &*self.inner;
        if !shared.is_running(*process) {
            return;
        }
        shared.trace("halt", u64::from(shard.0), 0);
        let mut process = shared.process.borrow_mut();
        if process.halted.is_none() {
            shared.recorder.count("process.halted");
            process.halted = Some((*shard, reason.to_owned()));
            process.polls_after_halt = shared.config.polls_after_halt;
        }
    }

    fn allocate(&self, size: usize) -> SimBuffer {
        SimBuffer::charged(size, 0, &self.inner.allocated)
    }

    fn allocate_dirty(&self, size: usize) -> SimBuffer {
        SimBuffer::charged(size, DIRT, &self.inner.allocated)
    }

    fn mesh(&self) -> &SimMesh<MeshMessage> {
        &self.inner.mesh
    }

    async fn create_folder(&self, path: &Path) -> Result<(), DiskError> {
        self.perform(Request::CreateFolder { path: path.to_owned() }).await.map(drop)
    }

    async fn list_folder(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        match self.perform(Request::ListFolder { path: path.to_owned() }).await? {
            Reply::Names(names) => Ok(names),
            other => unreachable!("a listing was answered with {other:?}"),
        }
    }

    async fn sync_folder(&self, path: &Path) -> Result<(), DiskError> {
        let request = self.inner.shared.disk.borrow().sync_request(path);
        self.perform(request).await.map(drop)
    }

    async fn open(&self, path: &Path, kind: FileKind, mode: OpenMode) -> Result<SimFile, DiskError> {
        let write_through = matches!(kind, FileKind::Log { write_through: true });
        match self.perform(Request::Open { path: path.to_owned(), mode }).await? {
            Reply::Node(node) => Ok(SimFile {
                shared: Rc::clone(&self.inner.shared),
                process: self.inner.process,
                node,
                write_through,
            }),
            other => unreachable!("an opening was answered with {other:?}"),
        }
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.perform(Request::Remove { path: path.to_owned() }).await.map(drop)
    }
}
