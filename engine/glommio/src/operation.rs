//! Disk operations are carried to their end, whoever loses interest in them.
//!
//! The device may still read from, or write into, the memory of an operation whose future was dropped, and
//! a cancelled write may still land. So a dropped operation goes on in a task of its own, and an executor
//! ends only when nothing is in flight.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use glommio::TaskQueueHandle;

/// Counts the operations in flight on one executor.
pub(crate) struct Operations {
    in_flight: Cell<usize>,
    closing: Cell<bool>,
    ended: Cell<bool>,
    drained: RefCell<Option<Waker>>,
    queue: TaskQueueHandle,
}

impl Operations {
    pub(crate) fn new(queue: TaskQueueHandle) -> Rc<Self> {
        Rc::new(Self {
            in_flight: Cell::new(0),
            closing: Cell::new(false),
            ended: Cell::new(false),
            drained: RefCell::new(None),
            queue,
        })
    }

    /// Wraps `future` so that, once polled, it runs to its end.
    pub(crate) fn run<F: Future + 'static>(self: &Rc<Self>, future: F) -> Operation<F> {
        Operation { future: Some(Box::pin(future)), started: false, operations: Rc::clone(self) }
    }

    /// From here on no operation starts; ends when none is in flight.
    pub(crate) async fn close(&self) {
        self.closing.set(true);
        std::future::poll_fn(|context| {
            if self.in_flight.get() == 0 {
                return Poll::Ready(());
            }
            *self.drained.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        self.ended.set(true);
    }

    /// The executor has failed: nothing is carried on any more, nor are the operations dropped.
    pub(crate) fn abandon(&self) {
        self.closing.set(true);
        self.ended.set(true);
    }

    fn begin(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    fn end(&self) {
        let left = self.in_flight.get().checked_sub(1).expect("every end had its begin");
        self.in_flight.set(left);
        if left == 0 {
            let waker = self.drained.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// One disk operation. Starts with its first poll; after that it runs to its end even if it is dropped.
pub(crate) struct Operation<F: Future + 'static> {
    future: Option<Pin<Box<F>>>,
    started: bool,
    operations: Rc<Operations>,
}

impl<F: Future + 'static> Future for Operation<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if !self.started {
            if self.operations.closing.get() {
                // The executor is ending: the task that asks is about to be dropped.
                return Poll::Pending;
            }
            self.started = true;
            self.operations.begin();
        }
        let future = self.future.as_mut().expect("polled after its end");
        let output = std::task::ready!(future.as_mut().poll(context));
        self.future = None;
        self.operations.end();
        Poll::Ready(output)
    }
}

impl<F: Future + 'static> Drop for Operation<F> {
    fn drop(&mut self) {
        let Some(future) = self.future.take().filter(|_| self.started) else { return };
        if self.operations.ended.get() {
            // No executor to carry it on: leak the memory that the device may still use.
            std::mem::forget(future);
            return;
        }
        let operations = Rc::clone(&self.operations);
        let rest = async move {
            future.await;
            operations.end();
        };
        glommio::executor()
            .spawn_local_into(rest, self.operations.queue)
            .expect("the queue lives as long as its executor")
            .detach();
    }
}
