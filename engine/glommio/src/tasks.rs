//! The tasks of one executor, so that ending it drops them all: glommio forgets a task that nobody wakes,
//! and with it the files and channels that the task holds.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use glommio::TaskQueueHandle;

use crate::pulse::Pulse;

pub(crate) struct Tasks {
    pulse: Arc<Pulse>,
    running: RefCell<BTreeMap<u64, Rc<Slot>>>,
    next: Cell<u64>,
    closed: Cell<bool>,
}

#[derive(Default)]
struct Slot {
    future: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    waker: RefCell<Option<Waker>>,
}

impl Tasks {
    pub(crate) fn new(pulse: Arc<Pulse>) -> Rc<Self> {
        Rc::new(Self { pulse, running: RefCell::default(), next: Cell::new(0), closed: Cell::new(false) })
    }

    /// Runs `task` in `queue` until it ends or [`Tasks::close`] drops it.
    pub(crate) fn spawn(self: &Rc<Self>, queue: TaskQueueHandle, task: impl Future<Output = ()> + 'static) {
        if self.closed.get() {
            return;
        }
        let id = self.next.get();
        self.next.set(id + 1);
        let slot = Rc::new(Slot { future: RefCell::new(Some(Box::pin(task))), waker: RefCell::default() });
        self.running.borrow_mut().insert(id, Rc::clone(&slot));
        let pulse = Arc::clone(&self.pulse);
        let shell = Shell { id, slot, pulse, tasks: Rc::downgrade(self) };
        glommio::executor()
            .spawn_local_into(shell, queue)
            .expect("the queue lives as long as its executor")
            .detach();
    }

    /// Drops every task. Tasks spawned from now on are dropped at once.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        let running = std::mem::take(&mut *self.running.borrow_mut());
        for slot in running.into_values() {
            let future = slot.future.borrow_mut().take();
            drop(future);
            let waker = slot.waker.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// What glommio runs: the slot's future for as long as it is there.
struct Shell {
    id: u64,
    slot: Rc<Slot>,
    pulse: Arc<Pulse>,
    tasks: Weak<Tasks>,
}

impl Future for Shell {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.pulse.beat();
        let mut future = self.slot.future.borrow_mut();
        let Some(running) = future.as_mut() else { return Poll::Ready(()) };
        if running.as_mut().poll(context).is_pending() {
            let mut waker = self.slot.waker.borrow_mut();
            match &mut *waker {
                Some(known) => known.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        let ended = future.take();
        drop(future);
        drop(ended);
        if let Some(tasks) = self.tasks.upgrade() {
            tasks.running.borrow_mut().remove(&self.id);
        }
        Poll::Ready(())
    }
}
