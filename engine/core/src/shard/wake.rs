//! Waking tasks of one executor: queues in which each has its turn, and crowds that all look again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Tasks that wait for something to change. All are woken, and look again.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    /// Remembers the task under its ticket: 0 at first, then what the last call returned.
    pub(crate) fn register(&mut self, ticket: u64, context: &Context<'_>) -> u64 {
        let ticket = if ticket == 0 {
            self.next += 1;
            self.next
        } else {
            ticket
        };
        self.wakers.insert(ticket, context.waker().clone());
        ticket
    }

    /// Forgets a task that no longer waits.
    pub(crate) fn forget(&mut self, ticket: u64) {
        self.wakers.remove(&ticket);
    }

    /// Wakes all and forgets them; who still waits registers again.
    pub(crate) fn wake_all(&mut self) {
        while let Some((_, waker)) = self.wakers.pop_first() {
            waker.wake();
        }
    }
}

/// A queue of tasks: one is at its front until it leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turnstile {
    inner: Rc<TurnstileInner>,
}

#[derive(Debug, Default)]
struct TurnstileInner {
    next: Cell<u64>,
    queue: RefCell<VecDeque<(u64, Option<Waker>)>>,
}

/// A place in a [`Turnstile`]; left when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    inner: Rc<TurnstileInner>,
    number: u64,
}

impl Turnstile {
    /// Whether nobody waits, and nobody is at the front.
    pub(crate) fn is_empty(&self) -> bool {
        self.inner.queue.borrow().is_empty()
    }

    /// Takes the place behind all others.
    pub(crate) fn enter(&self) -> Turn {
        let number = self.inner.next.get();
        self.inner.next.set(number + 1);
        self.inner.queue.borrow_mut().push_back((number, None));
        Turn { inner: Rc::clone(&self.inner), number }
    }
}

impl Turn {
    /// Ends when this place is the front.
    pub(crate) fn front(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| {
            let mut queue = self.inner.queue.borrow_mut();
            if queue.front().is_some_and(|(number, _)| *number == self.number) {
                return Poll::Ready(());
            }
            if let Ok(index) = queue.binary_search_by_key(&self.number, |(number, _)| *number) {
                queue[index].1 = Some(context.waker().clone());
            }
            Poll::Pending
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queue = self.inner.queue.borrow_mut();
        if let Ok(index) = queue.binary_search_by_key(&self.number, |(number, _)| *number) {
            queue.remove(index);
        }
        let next = queue.front_mut().and_then(|(_, waker)| waker.take());
        drop(queue);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// A value that one task leaves for one other.
#[derive(Debug)]
pub(crate) struct Handover<T> {
    inner: Rc<HandoverInner<T>>,
}

#[derive(Debug)]
struct HandoverInner<T> {
    value: RefCell<Option<T>>,
    waker: RefCell<Option<Waker>>,
}

impl<T> Clone for Handover<T> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<T> Handover<T> {
    pub(crate) fn new() -> Self {
        Self { inner: Rc::new(HandoverInner { value: RefCell::new(None), waker: RefCell::new(None) }) }
    }

    /// Leaves the value.
    pub(crate) fn give(&self, value: T) {
        self.inner.value.replace(Some(value));
        if let Some(waker) = self.inner.waker.take() {
            waker.wake();
        }
    }

    /// Ends with the value.
    pub(crate) fn take(&self) -> impl Future<Output = T> + '_ {
        poll_fn(|context| {
            if let Some(value) = self.inner.value.take() {
                return Poll::Ready(value);
            }
            self.inner.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
    }
}

/// Awaits `future`, but no longer than `limit` takes; `None` if that ended first.
pub(crate) async fn at_most<T>(
    future: impl Future<Output = T>,
    limit: Option<impl Future<Output = ()>>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut limit = pin!(async {
        match limit {
            Some(limit) => limit.await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        limit.as_mut().poll(context).map(|()| None)
    })
    .await
}
