//! One simulated machine, and the driver's hand on it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use thalweg_engine::io::Priority;
use thalweg_engine::model::ShardId;

use crate::clock::{Event, nanos};
use crate::config::{FaultConfig, WorldConfig};
use crate::coverage::Coverage;
use crate::disk::{BitFlip, SavedDisk};
use crate::executor::Picked;
use crate::mesh::SimMesh;
use crate::prng::Prng;
use crate::runtime::SimRuntime;
use crate::shared::{Process, ProcessId, Shared};

/// Where [`World::run_until`] stops. Counts begin at 1 and with the call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StopAt {
    /// When the process has ended.
    Exit,
    /// After so many polls of its tasks.
    Poll(u64),
    /// When so many disk operations have been submitted; the last one is in flight.
    DiskIssue(u64),
    /// When so many disk operations have been answered; who waited for the last one has not seen it.
    DiskCompletion(u64),
    /// At the next await point after the engine marked `event` for the `count`th time.
    Mark {
        /// Name given to [`Runtime::mark`](thalweg_engine::io::Runtime::mark).
        event: &'static str,
        /// How many times.
        count: u64,
    },
    /// After so much virtual time.
    Time(Duration),
}

impl StopAt {
    pub(crate) fn is_kind(&self, happened: &Self) -> bool {
        match (self, happened) {
            (Self::Poll(_), Self::Poll(_))
            | (Self::DiskIssue(_), Self::DiskIssue(_))
            | (Self::DiskCompletion(_), Self::DiskCompletion(_)) => true,
            (Self::Mark { event, .. }, Self::Mark { event: happened, .. }) => event == happened,
            _ => false,
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Poll(count)
            | Self::DiskIssue(count)
            | Self::DiskCompletion(count)
            | Self::Mark { count, .. } => *count,
            Self::Exit | Self::Time(_) => u64::MAX,
        }
    }
}

/// How [`World::run_until`] ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RunEnd {
    /// The main tasks of all shards have ended; what else ran was dropped.
    Exited,
    /// The engine ended the process with [`Runtime::halt`](thalweg_engine::io::Runtime::halt).
    Halted {
        /// Shard that did.
        shard: ShardId,
        /// Its words.
        reason: String,
    },
    /// The stop was reached. The process still runs: go on, or [`World::crash`].
    Stopped,
}

/// What ends with a crash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Crash {
    /// The process (`kill -9`): writes in flight may land; what had landed stays, but is no more durable than
    /// before.
    Process,
    /// The power, and with it the process: of what was not durable, any part stays.
    Power,
}

/// One simulated machine: a clock, a disk, and at most one running process. Dropping it drops the process.
pub struct World {
    shared: Rc<Shared>,
}

impl World {
    /// The folder that exists, durably, on every new disk.
    pub const DATA: &str = "/data";

    /// A machine with an empty disk.
    #[must_use]
    pub fn new(seed: u64, config: WorldConfig) -> Self {
        let shared = Rc::new(Shared::new(seed, config));
        shared.disk.borrow_mut().add_folder(Path::new(Self::DATA));
        Self { shared }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// A stream of random numbers for the caller's own `purpose`.
    #[must_use]
    pub fn prng(&self, purpose: &str) -> Prng {
        self.shared.root.fork("caller").fork(purpose)
    }

    /// Starts a process of `shards` shards. `main` makes the main task of each; when all of them have ended,
    /// the process exits.
    ///
    /// # Panics
    /// If a process runs already, or `shards` is zero.
    pub fn start<T>(&self, shards: u16, mut main: impl FnMut(SimRuntime) -> T)
    where
        T: Future<Output = ()> + 'static,
    {
        assert!(shards > 0, "a process has a shard");
        self.begin_process(shards);
        let ends = SimMesh::connect(&self.shared, shards);
        for (shard, mesh) in (0..).zip(ends) {
            let shard = ShardId(shard);
            let task = main(SimRuntime::new(&self.shared, shard, mesh));
            self.shared.executor.borrow_mut().add(shard, Priority::Foreground, true, Box::pin(task));
        }
    }

    /// A mesh of its own, for the process that was started last; for tests.
    #[must_use]
    pub fn mesh<M: 'static>(&self, shards: u16) -> Vec<SimMesh<M>> {
        SimMesh::connect(&self.shared, shards)
    }

    /// Runs the process until it ends or `stop` is reached, whichever is first.
    ///
    /// # Panics
    /// If no process runs; with a task's panic; and, as a failure of the seed, if the process cannot go on
    /// (nothing is ready and nothing will be) or has taken more polls than
    /// [`WorldConfig::polls_max`].
    pub fn run_until(&self, stop: StopAt) -> RunEnd {
        assert!(self.is_running(), "no process runs");
        let deadline_ns = match stop {
            StopAt::Time(duration) => self.shared.now_ns().saturating_add(nanos(duration)),
            _ => u64::MAX,
        };
        self.wake_at_deadline(deadline_ns);
        {
            let mut process = self.shared.process.borrow_mut();
            process.stop_left = stop.count();
            process.stop = Some(stop);
        }
        loop {
            if let Some(end) = self.ended(deadline_ns) {
                return end;
            }
            let event = self.shared.clock.borrow_mut().pop_due();
            if let Some(event) = event {
                self.happen(event);
            } else if let Some(picked) = self.pick() {
                self.poll(picked);
            } else if !self.shared.clock.borrow_mut().jump() {
                self.stand_still();
            }
        }
    }

    /// Ends the process, if one runs, and loses what `crash` loses.
    pub fn crash(&self, crash: Crash) {
        self.shared.recorder.count(match crash {
            Crash::Process => "crash.process",
            Crash::Power => "crash.power",
        });
        self.shared.trace("crash", u64::from(crash == Crash::Power), 0);
        self.end_process();
        if crash == Crash::Power {
            self.shared.disk.borrow_mut().lose_power();
        }
    }

    /// Whether a process runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.shared.process.borrow().running
    }

    /// Shards of the process that was started last.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.shared.process.borrow().shards
    }

    /// Keeps the tasks of `shard` from running for `duration`; its disk operations go on.
    pub fn pause(&self, shard: ShardId, duration: Duration) {
        self.shared.pause(shard, duration);
    }

    /// Virtual time since the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.shared.now_ns())
    }

    /// Steps the wall clock by `milliseconds`, back if negative.
    pub fn step_wall_clock(&self, milliseconds: i64) {
        self.shared.clock.borrow_mut().step_wall(milliseconds);
    }

    /// Lets the wall clock stand still, or go on from where it stands.
    pub fn stop_wall_clock(&self, stopped: bool) {
        self.shared.clock.borrow_mut().stop_wall(stopped);
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: FaultConfig) {
        self.shared.faults.set(faults);
        self.shared.disk.borrow_mut().faults = faults;
    }

    /// What goes wrong now.
    #[must_use]
    pub fn faults(&self) -> FaultConfig {
        self.shared.faults.get()
    }

    /// Changes the size of the disk. Bytes.
    pub fn set_disk_capacity(&self, capacity: u64) {
        self.shared.disk.borrow_mut().capacity = capacity;
    }

    /// Sizes of all files together. Bytes.
    #[must_use]
    pub fn disk_used(&self) -> u64 {
        self.shared.disk.borrow().used()
    }

    /// Paths of all files, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.shared.disk.borrow().files()
    }

    /// The whole of a file as reads see it; `None` if there is none.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        self.shared.disk.borrow().content(path, false)
    }

    /// The whole of a file as a power loss that keeps nothing would leave it; `None` if there is none.
    #[must_use]
    pub fn durable_content(&self, path: &Path) -> Option<Vec<u8>> {
        self.shared.disk.borrow().content(path, true)
    }

    /// Changes stored bytes, as damage would; not recorded.
    ///
    /// # Panics
    /// If the file does not exist.
    pub fn overwrite(&self, path: &Path, position: u64, bytes: &[u8]) {
        self.shared.disk.borrow_mut().overwrite(path, position, bytes);
    }

    /// Flips one stored bit; recorded.
    ///
    /// # Panics
    /// If the file does not exist, or there is no such bit.
    pub fn flip_bit(&self, flip: BitFlip) {
        self.shared.disk.borrow_mut().flip(flip);
    }

    /// Everything stored now, durable or not, to try on it what might destroy it.
    ///
    /// # Panics
    /// If a process runs.
    #[must_use]
    pub fn save_disk(&self) -> SavedDisk {
        assert!(!self.is_running(), "a process runs");
        self.shared.disk.borrow().save()
    }

    /// Puts back what was stored when `saved` was.
    ///
    /// # Panics
    /// If a process runs.
    pub fn restore_disk(&self, saved: SavedDisk) {
        assert!(!self.is_running(), "a process runs");
        self.shared.disk.borrow_mut().restore(saved);
    }

    /// Every bit that was flipped, in order.
    #[must_use]
    pub fn bit_flips(&self) -> Vec<BitFlip> {
        self.shared.disk.borrow().flips.clone()
    }

    /// Counts `name` in the coverage, beside the faults and the engine's marks.
    pub fn count(&self, name: &str) {
        self.shared.recorder.count(name);
    }

    /// What has happened so far.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.shared.recorder.coverage.borrow().clone()
    }

    /// Hash over everything that happened so far: equal for equal runs.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.shared.recorder.trace.borrow().hash()
    }

    /// The latest events, one a line.
    #[must_use]
    pub fn trace(&self) -> String {
        self.shared.recorder.trace.borrow().lines()
    }

    /// The command that replays this world's seed.
    #[must_use]
    pub fn replay(&self) -> String {
        self.shared.config.replay.replace("{seed}", &self.shared.seed.to_string())
    }

    /// Fails the seed.
    ///
    /// # Panics
    /// Always: with the seed, `message`, the latest events and the command that replays them.
    pub fn fail(&self, message: &str) -> ! {
        panic!("seed {}: {message}\n{}replay: {}", self.seed(), self.trace(), self.replay());
    }

    fn begin_process(&self, shards: u16) {
        assert!(!self.is_running(), "a process runs already");
        let id = ProcessId(self.shared.process.borrow().id.0 + 1);
        let mut timing = self.shared.timing.borrow_mut();
        self.shared.clock.borrow_mut().advance(Duration::from_micros(timing.below(1_000_000)));
        // A machine's monotonic clock begins anywhere: earlier than what the last process saw, or later.
        let clock_base_ns = timing.below(1 << 50);
        *self.shared.process.borrow_mut() =
            Process { id, running: true, shards, clock_base_ns, ..Process::default() };
        drop(timing);
        self.shared.trace("start", id.0, 0);
    }

    /// Drops the process: tasks by slot, then what was to wake them.
    fn end_process(&self) {
        if !self.is_running() {
            return;
        }
        self.shared.process.borrow_mut().running = false;
        let tasks = self.shared.executor.borrow_mut().take_all();
        drop(tasks);
        let events = self.shared.clock.borrow_mut().take_events();
        drop(events);
        self.shared.disk.borrow_mut().end_process();
        self.shared.trace("end", self.shared.process.borrow().id.0, 0);
    }

    fn ended(&self, deadline_ns: u64) -> Option<RunEnd> {
        let (halted, stopped, polls) = {
            let process = self.shared.process.borrow();
            let halted = process.halted.clone().filter(|_| process.polls_after_halt == 0);
            (halted, process.stop_left == 0, process.polls)
        };
        if let Some((shard, reason)) = halted {
            self.end_process();
            return Some(RunEnd::Halted { shard, reason });
        }
        if stopped || self.shared.now_ns() >= deadline_ns {
            return Some(RunEnd::Stopped);
        }
        if self.shared.executor.borrow().mains() == 0 {
            let halted = self.shared.process.borrow_mut().halted.take();
            self.end_process();
            return Some(match halted {
                Some((shard, reason)) => RunEnd::Halted { shard, reason },
                None => RunEnd::Exited,
            });
        }
        if polls >= self.shared.config.polls_max {
            self.fail(&format!("hung: still running after {polls} polls"));
        }
        None
    }

    /// Nothing is ready and nothing will be. Of a process that has halted that is no wonder.
    fn stand_still(&self) {
        let halted = {
            let mut process = self.shared.process.borrow_mut();
            process.polls_after_halt = 0;
            process.halted.is_some()
        };
        if !halted {
            let tasks = self.shared.executor.borrow().live();
            self.fail(&format!("deadlock: {tasks} tasks wait for each other"));
        }
    }

    fn wake_at_deadline(&self, deadline_ns: u64) {
        if deadline_ns < u64::MAX {
            self.shared.clock.borrow_mut().schedule(deadline_ns, Event::Tick);
        }
    }

    fn happen(&self, event: Event) {
        match event {
            Event::Wake(waker) => waker.wake(),
            Event::Disk(id) => self.shared.disk_step(id),
            Event::Tick => {}
        }
    }

    fn pick(&self) -> Option<Picked> {
        let faults = self.shared.faults.get();
        let mut prng = self.shared.scheduling.borrow_mut();
        let mut executor = self.shared.executor.borrow_mut();
        let now_ns = self.shared.now_ns();
        let mut process = self.shared.process.borrow_mut();
        process.paused.retain(|_, until_ns| *until_ns > now_ns);
        if prng.chance(faults.spurious_poll) && executor.wake_any(&mut prng) {
            self.shared.recorder.count("run.spurious_poll");
        }
        let picked =
            executor.pick(&mut prng, faults.reordered_task, |shard| process.paused.contains_key(&shard))?;
        if picked.out_of_turn {
            self.shared.recorder.count("run.reordered");
        }
        drop(process);
        if prng.chance(faults.pause) {
            let duration_ns = prng.range(1..nanos(faults.pause_max).max(2));
            self.shared.pause(picked.shard, Duration::from_nanos(duration_ns));
        }
        Some(picked)
    }

    fn poll(&self, picked: Picked) {
        let Picked { key, shard, mut task, waker, .. } = picked;
        self.shared.trace("poll", key.slot() as u64, u64::from(shard.0));
        let mut context = Context::from_waker(&waker);
        let polled = match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut context))) {
            Ok(polled) => polled,
            Err(panic) => {
                let (seed, trace, replay) = (self.seed(), self.trace(), self.replay());
                eprintln!("{trace}seed {seed}: shard {shard} panicked, see above\nreplay: {replay}");
                resume_unwind(panic)
            }
        };
        if polled.is_ready() {
            self.shared.executor.borrow_mut().end(key);
            drop(task);
        } else {
            self.shared.executor.borrow_mut().put_back(key, task);
        }
        let took_ns = self.shared.scheduling.borrow_mut().range(100..2_000);
        self.shared.clock.borrow_mut().advance(Duration::from_nanos(took_ns));
        {
            let mut process = self.shared.process.borrow_mut();
            process.polls += 1;
            process.polls_after_halt = process.polls_after_halt.saturating_sub(1);
        }
        self.shared.note(&StopAt::Poll(0));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end_process();
    }
}
