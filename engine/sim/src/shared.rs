//! What the parts of one world share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use thalweg_engine::model::ShardId;

use crate::clock::{Clock, Event, nanos};
use crate::config::{FaultConfig, WorldConfig};
use crate::coverage::Coverage;
use crate::disk::{Disk, OperationId, Outcome, Request, Step};
use crate::executor::Executor;
use crate::prng::Prng;
use crate::trace::Trace;
use crate::world::StopAt;

/// Counts and traces.
pub(crate) struct Recorder {
    pub(crate) coverage: RefCell<Coverage>,
    pub(crate) trace: RefCell<Trace>,
}

impl Recorder {
    pub(crate) fn count(&self, name: &str) {
        self.coverage.borrow_mut().count(name);
    }
}

/// One process of a world; the first is 1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ProcessId(pub(crate) u64);

/// The process that runs, if one does.
#[derive(Default)]
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    pub(crate) running: bool,
    pub(crate) shards: u16,
    pub(crate) polls: u64,
    pub(crate) halted: Option<(ShardId, String)>,
    pub(crate) polls_after_halt: u64,
    /// Until when, by the world's clock.
    pub(crate) paused: BTreeMap<ShardId, u64>,
    pub(crate) stop: Option<StopAt>,
    /// Events of the kind `stop` waits for that are still to come.
    pub(crate) stop_left: u64,
    /// What its monotonic clock showed when the world's showed zero.
    pub(crate) clock_base_ns: u64,
}

pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) config: WorldConfig,
    pub(crate) faults: Cell<FaultConfig>,
    pub(crate) recorder: Rc<Recorder>,
    pub(crate) clock: RefCell<Clock>,
    pub(crate) executor: RefCell<Executor>,
    pub(crate) disk: RefCell<Disk>,
    pub(crate) process: RefCell<Process>,
    pub(crate) root: Prng,
    /// Which task runs, who pauses.
    pub(crate) scheduling: RefCell<Prng>,
    /// How late timers are, what clocks show, when slices end.
    pub(crate) timing: RefCell<Prng>,
}

impl Shared {
    pub(crate) fn new(seed: u64, config: WorldConfig) -> Self {
        let root = Prng::new(seed);
        let recorder = Rc::new(Recorder {
            coverage: RefCell::default(),
            trace: RefCell::new(Trace::new(config.trace_size)),
        });
        let disk = Disk::new(root.fork("disk"), Rc::clone(&recorder), config.faults, config.disk_capacity);
        Self {
            seed,
            faults: Cell::new(config.faults),
            config,
            recorder,
            clock: RefCell::new(Clock::new()),
            executor: RefCell::default(),
            disk: RefCell::new(disk),
            process: RefCell::default(),
            scheduling: RefCell::new(root.fork("scheduling")),
            timing: RefCell::new(root.fork("timing")),
            root,
        }
    }

    pub(crate) fn is_running(&self, process: ProcessId) -> bool {
        let current = self.process.borrow();
        current.running && current.id == process
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.borrow().now_ns()
    }

    pub(crate) fn trace(&self, what: &'static str, subject: u64, detail: u64) {
        self.recorder.trace.borrow_mut().add(self.now_ns(), what, subject, detail);
    }

    pub(crate) fn wake_at(&self, at_ns: u64, waker: Waker) {
        self.clock.borrow_mut().schedule(at_ns, Event::Wake(waker));
    }

    /// A moment `delay` from now, a little late.
    pub(crate) fn after(&self, delay: Duration) -> u64 {
        let late_ns = self.timing.borrow_mut().below(20_000);
        self.now_ns().saturating_add(nanos(delay)).saturating_add(late_ns)
    }

    /// When a task that yields now is woken, if that is not at once.
    pub(crate) fn late_yield_ns(&self) -> Option<u64> {
        let faults = self.faults.get();
        let mut timing = self.timing.borrow_mut();
        timing.chance(faults.late_yield).then(|| {
            self.recorder.count("run.yield_late");
            self.now_ns().saturating_add(timing.below(nanos(faults.late_yield_max).max(1)))
        })
    }

    /// Hands a request to the disk; does nothing if `process` is gone.
    pub(crate) fn submit(&self, process: ProcessId, request: Request, outcome: &Rc<Outcome>) {
        if !self.is_running(process) {
            return;
        }
        let (name, node) = (request.name(), request.subject());
        let (id, duration_ns) = self.disk.borrow_mut().submit(request, Rc::clone(outcome));
        self.trace(name, node, id.0);
        let at_ns = self.now_ns().saturating_add(duration_ns);
        self.clock.borrow_mut().schedule(at_ns, Event::Disk(id));
        self.note(&StopAt::DiskIssue(0));
    }

    pub(crate) fn disk_step(&self, id: OperationId) {
        let step = self.disk.borrow_mut().step(id);
        match step {
            Step::Gone => {}
            Step::Again(duration_ns) => {
                let at_ns = self.now_ns().saturating_add(duration_ns);
                self.clock.borrow_mut().schedule(at_ns, Event::Disk(id));
            }
            Step::Done(waker) => {
                self.trace("disk done", id.0, self.disk.borrow().order());
                if let Some(waker) = waker {
                    waker.wake();
                }
                self.note(&StopAt::DiskCompletion(0));
            }
        }
    }

    /// Notes that something happened that the driver may wait for.
    pub(crate) fn note(&self, happened: &StopAt) {
        let mut process = self.process.borrow_mut();
        let Some(stop) = &process.stop else { return };
        if stop.is_kind(happened) && process.stop_left > 0 {
            process.stop_left -= 1;
        }
    }

    pub(crate) fn pause(&self, shard: ShardId, duration: Duration) {
        self.recorder.count("run.paused");
        let until_ns = self.now_ns().saturating_add(nanos(duration));
        self.process.borrow_mut().paused.insert(shard, until_ns);
        self.clock.borrow_mut().schedule(until_ns, Event::Tick);
    }
}
