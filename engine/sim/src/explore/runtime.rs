//! The runtime over a [`Machine`].

use std::future::{Future, pending, poll_fn, ready};
use std::path::Path;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use thalweg_engine::io::{
    Buffer, DiskError, File, FileKind, Mesh, MeshFull, Monotonic, OpenMode, Priority, Runtime,
};
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::model::{ShardId, Timestamp};
use thalweg_engine::shard::MeshMessage;

use super::disk::{FileId, Operation};
use super::machine::Machine;
use crate::disk::SimBuffer;

/// The runtime. Writes and flushes end when somebody says so, everything else at once.
#[derive(Clone)]
pub(super) struct ExploreRuntime {
    machine: Rc<Machine>,
}

impl ExploreRuntime {
    pub(super) fn new(machine: &Rc<Machine>) -> Self {
        Self { machine: Rc::clone(machine) }
    }

    fn yield_once(&self) -> impl Future<Output = ()> + 'static {
        let mut yielded = false;
        poll_fn(move |context| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

/// A shard alone.
#[derive(Clone)]
pub(super) struct NoMesh;

impl Mesh<MeshMessage> for NoMesh {
    fn try_send(&self, _: ShardId, message: MeshMessage) -> Result<(), MeshFull<MeshMessage>> {
        Err(MeshFull(message))
    }

    fn receive(&self) -> impl Future<Output = Option<(ShardId, MeshMessage)>> + '_ {
        pending()
    }
}

/// An open file. Its operations begin when their future is first polled.
#[derive(Clone)]
pub(super) struct ExploreFile {
    machine: Rc<Machine>,
    file: FileId,
    through: bool,
}

async fn perform(machine: Rc<Machine>, operation: Operation) -> Result<(), DiskError> {
    let outcome = machine.begin(operation);
    poll_fn(|context| {
        if outcome.ended.get() {
            return Poll::Ready(Ok(()));
        }
        outcome.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    })
    .await
}

fn block_at(position: u64) -> usize {
    assert!(position.is_multiple_of(BLOCK_SIZE as u64), "position {position} is not on a block");
    position as usize / BLOCK_SIZE
}

impl File for ExploreFile {
    type Buffer = SimBuffer;

    fn write_at(
        &self,
        buffer: Rc<SimBuffer>,
        position: u64,
    ) -> impl Future<Output = Result<(), DiskError>> + 'static {
        let contents = self.machine.blocks.borrow_mut().ids_of(buffer.bytes());
        let (file, at, through) = (self.file, block_at(position), self.through);
        perform(Rc::clone(&self.machine), Operation::Write { file, at, contents, through })
    }

    fn read_at(
        &self,
        position: u64,
        size: usize,
    ) -> impl Future<Output = Result<SimBuffer, DiskError>> + 'static {
        let mut buffer = SimBuffer::zeroed(size);
        let blocks = self.machine.blocks.borrow();
        let copied =
            self.machine.disk.borrow().read(&blocks, self.file, block_at(position), buffer.bytes_mut());
        buffer.truncate(copied);
        ready(Ok(buffer))
    }

    fn flush(&self) -> impl Future<Output = Result<(), DiskError>> + 'static {
        // What had landed by this call, not by the first poll: the least that the trait promises.
        let covered = self.machine.disk.borrow().order();
        perform(Rc::clone(&self.machine), Operation::Flush { file: self.file, covered })
    }

    fn allocate(&self, size: u64) -> impl Future<Output = Result<(), DiskError>> + 'static {
        self.machine.disk.borrow_mut().set_size(self.file, size);
        ready(Ok(()))
    }

    fn len(&self) -> impl Future<Output = Result<u64, DiskError>> + 'static {
        ready(Ok(self.machine.disk.borrow().size(self.file)))
    }
}

impl Runtime for ExploreRuntime {
    type Buffer = SimBuffer;
    type File = ExploreFile;
    type Mesh = NoMesh;

    fn now(&self) -> Monotonic {
        Monotonic(self.machine.now_ns())
    }

    fn wall_clock(&self) -> Timestamp {
        Timestamp(0)
    }

    fn random(&self) -> u64 {
        // Names the log, once.
        0x5eed_0000_0000_0106
    }

    fn spawn(&self, priority: Priority, task: impl Future<Output = ()> + 'static) {
        self.machine.spawn(priority, Box::pin(task));
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        let machine = Rc::clone(&self.machine);
        let yielded = self.yield_once();
        let until_ns = machine.now_ns() + duration.as_nanos() as u64;
        async move {
            yielded.await;
            let mut scheduled = false;
            poll_fn(|context| {
                if machine.now_ns() >= until_ns {
                    return Poll::Ready(());
                }
                if !std::mem::replace(&mut scheduled, true) {
                    machine.wake_at(until_ns, context.waker().clone());
                }
                Poll::Pending
            })
            .await;
        }
    }

    fn yield_now(&self) -> impl Future<Output = ()> + 'static {
        self.yield_once()
    }

    fn should_yield(&self) -> bool {
        false
    }

    fn mark(&self, event: &'static str) {
        *self.machine.marks.borrow_mut().entry(event).or_default() += 1;
    }

    fn halt(&self, reason: &str) {
        self.machine.halted.replace(Some(reason.to_owned()));
    }

    fn allocate(&self, size: usize) -> SimBuffer {
        SimBuffer::zeroed(size)
    }

    fn allocate_dirty(&self, size: usize) -> SimBuffer {
        let mut buffer = SimBuffer::zeroed(size);
        buffer.bytes_mut().fill(0xD1);
        buffer
    }

    fn mesh(&self) -> &NoMesh {
        &NoMesh
    }

    async fn create_folder(&self, _: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    async fn list_folder(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        Ok(self.machine.disk.borrow().list(path))
    }

    async fn sync_folder(&self, _: &Path) -> Result<(), DiskError> {
        Ok(())
    }

    async fn open(&self, path: &Path, kind: FileKind, mode: OpenMode) -> Result<ExploreFile, DiskError> {
        let mut disk = self.machine.disk.borrow_mut();
        let file = match (disk.find(path), mode) {
            (Some(file), _) => file,
            (None, OpenMode::Create) => disk.create(path),
            (None, OpenMode::Existing) => return Err(DiskError::NotFound { path: path.to_owned() }),
        };
        let through = matches!(kind, FileKind::Log { write_through: true });
        Ok(ExploreFile { machine: Rc::clone(&self.machine), file, through })
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        match self.machine.disk.borrow_mut().remove(path) {
            true => Ok(()),
            false => Err(DiskError::NotFound { path: path.to_owned() }),
        }
    }
}
