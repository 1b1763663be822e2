//! Waiting until several tasks of one executor have ended.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Counts tasks down. Clones are the same latch.
#[derive(Clone, Debug)]
pub(crate) struct Latch(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    left: Cell<usize>,
    waiting: RefCell<Option<Waker>>,
}

impl Latch {
    /// A latch for `count` tasks.
    pub(crate) fn new(count: usize) -> Self {
        Self(Rc::new(Inner { left: Cell::new(count), waiting: RefCell::default() }))
    }

    /// One task has ended.
    pub(crate) fn count_down(&self) {
        let left = self.0.left.get().checked_sub(1).expect("no more tasks end than were counted");
        self.0.left.set(left);
        let waiting = if left == 0 { self.0.waiting.borrow_mut().take() } else { None };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// Ends when all tasks have.
    pub(crate) async fn wait(&self) {
        std::future::poll_fn(|context| {
            if self.0.left.get() == 0 {
                return Poll::Ready(());
            }
            *self.0.waiting.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
