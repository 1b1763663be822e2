//! Waking tasks of one executor.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use super::Closed;
use crate::io::Signal;
use crate::model::Sequence;

/// Tasks that wait for a condition; all are woken when it may have become true, and look again.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    wakers: RefCell<Vec<Waker>>,
}

impl Waiting {
    /// Remembers the task, unless it is already.
    pub(super) fn register(&self, context: &Context<'_>) {
        let mut wakers = self.wakers.borrow_mut();
        if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            wakers.push(context.waker().clone());
        }
    }

    pub(super) fn wake_all(&self) {
        for waker in self.wakers.take() {
            waker.wake();
        }
    }
}

/// Tasks that wait for frames to be committed, in the order of the frames.
#[derive(Debug, Default)]
pub(super) struct CommitWaiters {
    queue: VecDeque<CommitWaiter>,
    tickets: u64,
}

#[derive(Debug)]
struct CommitWaiter {
    sequence: Sequence,
    ticket: u64,
    waker: Waker,
}

impl CommitWaiters {
    /// Remembers that the task waits for `sequence`. `ticket`: 0 at first, then what the last call returned.
    pub(super) fn register(&mut self, sequence: Sequence, ticket: u64, waker: &Waker) -> u64 {
        if let Ok(index) = self.find(sequence, ticket) {
            self.queue[index].waker.clone_from(waker);
            return ticket;
        }
        self.tickets += 1;
        let ticket = self.tickets;
        let index = self.find(sequence, ticket).unwrap_or_else(|index| index);
        self.queue.insert(index, CommitWaiter { sequence, ticket, waker: waker.clone() });
        ticket
    }

    /// Forgets a task that no longer waits.
    pub(super) fn forget(&mut self, sequence: Sequence, ticket: u64) {
        if let Ok(index) = self.find(sequence, ticket) {
            self.queue.remove(index);
        }
    }

    /// Takes the first task that waits for a frame up to `committed`.
    pub(super) fn take(&mut self, committed: Sequence) -> Option<Waker> {
        if self.queue.front()?.sequence > committed {
            return None;
        }
        self.queue.pop_front().map(|waiter| waiter.waker)
    }

    fn find(&self, sequence: Sequence, ticket: u64) -> Result<usize, usize> {
        self.queue.binary_search_by_key(&(sequence, ticket), |waiter| (waiter.sequence, waiter.ticket))
    }
}

/// Outcome of a wait for a frame, given what is known now; `None` to wait on.
pub(super) fn commit_outcome(
    sequence: Sequence,
    committed: Sequence,
    closed: bool,
) -> Option<Result<(), Closed>> {
    if sequence <= committed {
        return Some(Ok(()));
    }
    closed.then_some(Err(Closed))
}

/// A place for the result of a task, for the one who waits for it.
pub(super) struct Slot<T> {
    inner: Rc<(RefCell<Option<T>>, Signal)>,
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Self { inner: Rc::new((RefCell::new(None), Signal::default())) }
    }

    pub(super) fn fill(&self, value: T) {
        self.inner.0.replace(Some(value));
        self.inner.1.give();
    }

    /// The result, once it is there.
    pub(super) async fn wait(&self) -> T {
        loop {
            if let Some(value) = self.inner.0.take() {
                return value;
            }
            self.inner.1.wait().await;
        }
    }
}
