//! An open file of the simulated disk.

use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use thalweg_engine::io::{Buffer, DiskError, File};
use thalweg_engine::limits::BLOCK_SIZE;

use super::buffer::SimBuffer;
use super::operation::{Outcome, Reply, Request};
use super::submit::NodeId;
use crate::shared::{ProcessId, Shared};

/// An open file. Its operations begin when their future is first polled; a future that is dropped leaves its
/// operation in flight.
#[derive(Clone)]
pub struct SimFile {
    pub(crate) shared: Rc<Shared>,
    pub(crate) process: ProcessId,
    pub(crate) node: NodeId,
    pub(crate) write_through: bool,
}

/// Submits `request` and waits for the answer; for ever, if the process is gone.
pub(crate) async fn perform(
    shared: Rc<Shared>,
    process: ProcessId,
    request: Request,
) -> Result<Reply, DiskError> {
    let outcome = Rc::new(Outcome::default());
    shared.submit(process, request, &outcome);
    poll_fn(|context| {
        if let Some(answer) = outcome.answer.take() {
            return Poll::Ready(answer);
        }
        outcome.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    })
    .await
}

impl SimFile {
    fn perform(&self, request: Request) -> impl Future<Output = Result<Reply, DiskError>> + 'static {
        perform(Rc::clone(&self.shared), self.process, request)
    }
}

impl File for SimFile {
    type Buffer = SimBuffer;

    fn write_at(
        &self,
        buffer: Rc<SimBuffer>,
        position: u64,
    ) -> impl Future<Output = Result<(), DiskError>> + 'static {
        assert_whole_blocks(position, buffer.bytes().len());
        let (node, through) = (self.node, self.write_through);
        let answer = self.perform(Request::Write { node, position, data: buffer, through });
        async move { answer.await.map(drop) }
    }

    fn read_at(
        &self,
        position: u64,
        size: usize,
    ) -> impl Future<Output = Result<SimBuffer, DiskError>> + 'static {
        assert_whole_blocks(position, size);
        let answer = self.perform(Request::Read { node: self.node, position, size });
        async move {
            match answer.await? {
                Reply::Bytes(bytes) => Ok(bytes),
                other => unreachable!("a read was answered with {other:?}"),
            }
        }
    }

    fn flush(&self) -> impl Future<Output = Result<(), DiskError>> + 'static {
        // What had landed by this call, not by the first poll: the least that the trait promises.
        let covered = self.shared.disk.borrow().order();
        let answer = self.perform(Request::Flush { node: self.node, covered });
        async move { answer.await.map(drop) }
    }

    fn allocate(&self, size: u64) -> impl Future<Output = Result<(), DiskError>> + 'static {
        let answer = self.perform(Request::Allocate { node: self.node, size });
        async move { answer.await.map(drop) }
    }

    fn len(&self) -> impl Future<Output = Result<u64, DiskError>> + 'static {
        let answer = self.perform(Request::Size { node: self.node });
        async move {
            match answer.await? {
                Reply::Size(size) => Ok(size),
                other => unreachable!("a size was answered with {other:?}"),
            }
        }
    }
}

fn assert_whole_blocks(position: u64, size: usize) {
    assert!(position.is_multiple_of(BLOCK_SIZE as u64), "position {position} is not on a block");
    assert!(size.is_multiple_of(BLOCK_SIZE), "size {size} is not whole blocks");
    assert!(size > 0, "an empty operation");
}
