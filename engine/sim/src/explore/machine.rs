//! One machine in one life: its disk, what is in flight, its tasks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Waker};

use thalweg_engine::io::Priority;

use super::blocks::Blocks;
use super::disk::{Disk, Operation};
use super::tasks::{Picked, Task, Tasks};

/// Polls after which a life that still has woken tasks is stuck in a loop.
const POLLS_MAX: usize = 100_000;

/// Which operations end as soon as they begin, so that nothing happens while they are in flight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AtOnce {
    Nothing,
    Background,
    Everything,
}

/// Where the end of an operation is told.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) ended: Cell<bool>,
    pub(super) waker: RefCell<Option<Waker>>,
}

pub(super) struct InFlight {
    pub(super) operation: Operation,
    outcome: Rc<Outcome>,
}

/// A task that sleeps.
struct Sleeper {
    until_ns: u64,
    waker: Waker,
}

pub(super) struct Machine {
    pub(super) blocks: Rc<RefCell<Blocks>>,
    pub(super) disk: RefCell<Disk>,
    /// In the order begun.
    pub(super) in_flight: RefCell<Vec<InFlight>>,
    pub(super) marks: RefCell<BTreeMap<&'static str, u64>>,
    pub(super) halted: RefCell<Option<String>>,
    at_once: AtOnce,
    /// Flushes end without making anything durable.
    lies: bool,
    tasks: RefCell<Tasks>,
    running: Cell<Priority>,
    now_ns: Cell<u64>,
    sleepers: RefCell<Vec<Sleeper>>,
}

impl Machine {
    pub(super) fn new(blocks: Rc<RefCell<Blocks>>, disk: Disk, at_once: AtOnce, lies: bool) -> Rc<Self> {
        Rc::new(Self {
            blocks,
            disk: RefCell::new(disk),
            in_flight: RefCell::default(),
            marks: RefCell::default(),
            halted: RefCell::default(),
            at_once,
            lies,
            tasks: RefCell::default(),
            running: Cell::new(Priority::Foreground),
            now_ns: Cell::new(0),
            sleepers: RefCell::default(),
        })
    }

    pub(super) fn spawn(&self, priority: Priority, task: Task) {
        self.tasks.borrow_mut().add(priority, task);
    }

    /// Polls tasks until all wait.
    pub(super) fn settle(&self) {
        for _ in 0..POLLS_MAX {
            let picked = self.tasks.borrow_mut().pick();
            let Some(Picked { number, priority, waker, mut task }) = picked else { return };
            self.running.set(priority);
            let ended = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            self.running.set(Priority::Foreground);
            if !ended {
                self.tasks.borrow_mut().put_back(number, task);
            }
        }
        panic!("tasks go on and on without any operation of the disk");
    }

    /// Begins an operation.
    pub(super) fn begin(&self, operation: Operation) -> Rc<Outcome> {
        let outcome = Rc::new(Outcome::default());
        let at_once = match self.at_once {
            AtOnce::Nothing => false,
            AtOnce::Background => self.running.get() == Priority::Background,
            AtOnce::Everything => true,
        };
        if at_once {
            self.carry_out(&operation);
            outcome.ended.set(true);
        } else {
            self.in_flight.borrow_mut().push(InFlight { operation, outcome: Rc::clone(&outcome) });
        }
        outcome
    }

    /// Ends the operation that is `index`th of those in flight.
    pub(super) fn complete(&self, index: usize) -> Operation {
        let InFlight { operation, outcome } = self.in_flight.borrow_mut().remove(index);
        self.carry_out(&operation);
        outcome.ended.set(true);
        if let Some(waker) = outcome.waker.take() {
            waker.wake();
        }
        operation
    }

    fn carry_out(&self, operation: &Operation) {
        if !(self.lies && matches!(operation, Operation::Flush { .. })) {
            self.disk.borrow_mut().complete(operation);
        }
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }

    /// Wakes `waker` once somebody has let the time come.
    pub(super) fn wake_at(&self, until_ns: u64, waker: Waker) {
        self.sleepers.borrow_mut().push(Sleeper { until_ns, waker });
    }

    /// When the first of those who sleep wakes, in nanoseconds from now.
    pub(super) fn sleeps_ns(&self) -> Option<u64> {
        let first = self.sleepers.borrow().iter().map(|sleeper| sleeper.until_ns).min()?;
        Some(first - self.now_ns.get())
    }

    /// Lets time pass until the first of those who sleep wakes.
    pub(super) fn pass_time(&self) {
        let Some(sleeps_ns) = self.sleeps_ns() else { return };
        self.now_ns.set(self.now_ns.get() + sleeps_ns);
        let now_ns = self.now_ns.get();
        let woken: Vec<Sleeper> =
            self.sleepers.borrow_mut().extract_if(.., |sleeper| sleeper.until_ns <= now_ns).collect();
        for sleeper in woken {
            sleeper.waker.wake();
        }
    }

    /// The process is gone.
    pub(super) fn end(&self) {
        // What is dropped may spawn, and would be held by the machine that it holds.
        for _ in 0..2 {
            let tasks = self.tasks.borrow_mut().take_all();
            drop(tasks);
        }
        self.in_flight.borrow_mut().clear();
        self.sleepers.borrow_mut().clear();
    }
}
