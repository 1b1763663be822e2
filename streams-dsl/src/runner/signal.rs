//! Waking tasks of one executor.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

/// Once set, set for ever. Any number of tasks may wait.
#[derive(Debug, Default)]
pub(super) struct Flag {
    is_set: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

impl Flag {
    pub(super) fn set(&self) {
        self.is_set.set(true);
        for waker in self.wakers.take() {
            waker.wake();
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set.get()
    }

    pub(super) fn wait(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| {
            if self.is_set.get() {
                return Poll::Ready(());
            }
            let mut wakers = self.wakers.borrow_mut();
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
    }
}

/// What [`race`] ended with.
pub(super) enum First<A, B> {
    /// The one future's result.
    One(A),
    /// The other's.
    Other(B),
}

/// Ends with the first of two futures; the other is dropped, so neither may be a disk operation. If both are
/// ready the one wins.
pub(super) async fn race<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> First<A, B> {
    let mut one = pin!(one);
    let mut other = pin!(other);
    poll_fn(|context| {
        if let Poll::Ready(result) = one.as_mut().poll(context) {
            return Poll::Ready(First::One(result));
        }
        other.as_mut().poll(context).map(First::Other)
    })
    .await
}

/// Ends when all of `futures` have, with what each ended with, in their order. Each is begun before any is waited
/// for.
pub(super) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        let open = waiting.iter_mut().zip(&mut results).filter(|(_, result)| result.is_none());
        let mut is_done = true;
        for (future, result) in open {
            match future.as_mut().poll(context) {
                Poll::Ready(value) => *result = Some(value),
                Poll::Pending => is_done = false,
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().map(|result| result.expect("all have ended")).collect()
}
