//! The tasks of one executor, so that ending it drops them all: glommio forgets a task that nobody wakes,
//! and with it the files and channels that the task holds.
//!
//! A task that panics ends them all: what they share may be half changed, so none of them runs again. The executor
//! itself stays sound, and carries what the disk still does for them to its end.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use glommio::TaskQueueHandle;

use crate::pulse::Pulse;

/// What a panic was raised with.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Called with the message of the first panic, before the tasks are dropped.
pub(crate) type PanicHook = Rc<dyn Fn(&str)>;

pub(crate) struct Tasks {
    pulse: Arc<Pulse>,
    on_panic: PanicHook,
    /// The first panic of a task.
    panic: RefCell<Option<Panic>>,
    /// Of who waits for the main task's end.
    main: RefCell<Option<Waker>>,
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
    pub(crate) fn new(pulse: Arc<Pulse>, on_panic: PanicHook) -> Rc<Self> {
        Rc::new(Self {
            pulse,
            on_panic,
            panic: RefCell::default(),
            main: RefCell::default(),
            running: RefCell::default(),
            next: Cell::new(0),
            closed: Cell::new(false),
        })
    }

    /// Runs `main` as a task; its output, or the first panic of any task.
    pub(crate) async fn run<T: 'static>(
        self: &Rc<Self>,
        queue: TaskQueueHandle,
        main: impl Future<Output = T> + 'static,
    ) -> Result<T, Panic> {
        let output = Rc::new(RefCell::new(None));
        let (slot, tasks) = (Rc::clone(&output), Rc::downgrade(self));
        self.spawn(queue, async move {
            let value = main.await;
            *slot.borrow_mut() = Some(value);
            if let Some(tasks) = tasks.upgrade() {
                tasks.wake_main();
            }
        });
        poll_fn(|context| {
            if let Some(panic) = self.panic.borrow_mut().take() {
                return Poll::Ready(Err(panic));
            }
            if let Some(output) = output.borrow_mut().take() {
                return Poll::Ready(Ok(output));
            }
            *self.main.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn wake_main(&self) {
        let waker = self.main.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends every task because one, or the dropping of one, panicked.
    fn panicked(&self, panic: Panic) {
        (self.on_panic)(panic_message(&panic));
        self.panic.borrow_mut().get_or_insert(panic);
        self.close();
        self.wake_main();
    }

    /// Whether `work` ended without a panic; ends every task if not.
    fn guarded(&self, work: impl FnOnce()) -> bool {
        let outcome = catch_unwind(AssertUnwindSafe(work));
        outcome.map_err(|panic| self.panicked(panic)).is_ok()
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
            self.guarded(|| drop(future));
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
        let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)));
        if let Ok(Poll::Pending) = polled {
            let mut waker = self.slot.waker.borrow_mut();
            match &mut *waker {
                Some(known) => known.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        let ended = future.take();
        drop(future);
        let Some(tasks) = self.tasks.upgrade() else { return Poll::Ready(()) };
        if let Err(panic) = polled {
            tasks.panicked(panic);
        }
        if tasks.guarded(|| drop(ended)) {
            tasks.running.borrow_mut().remove(&self.id);
        }
        Poll::Ready(())
    }
}

/// What a panic said, as far as it is text.
pub(crate) fn panic_message(panic: &Panic) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
