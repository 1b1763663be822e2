//! The driver: lives, crashes, checks.

use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use thalweg_engine::model::ShardId;

use super::plan::Plan;
use super::workload::{Life, Run, Workload};
use crate::config::WorldConfig;
use crate::coverage::Coverage;
use crate::world::{Crash, RunEnd, StopAt, World};

/// Lives of one seed after which it counts as going nowhere.
const LIVES_MAX: u64 = 2_000;

thread_local! {
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The seed that this thread runs; for a panic hook.
#[must_use]
pub fn seed_under_way() -> Option<u64> {
    SEED.get()
}

/// A seed that ran through.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Operations answered.
    pub operations: u64,
    /// Processes started.
    pub lives: u64,
    /// Crashes of process or power.
    pub crashes: u64,
    /// Virtual time.
    pub elapsed: Duration,
    /// Equal for equal runs.
    pub trace_hash: u64,
    /// Faults and marks.
    pub coverage: Coverage,
}

/// A seed that failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("seed {seed} of {workload} failed: {message}\nreplay: {replay}")]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The workload's name.
    pub workload: &'static str,
    /// The panic's words.
    pub message: String,
    /// The command that runs it again.
    pub replay: String,
}

/// Runs `workload` under `seed` until at least `operations` operations were answered and one crash was
/// survived, then checks it in a last life in which nothing fails.
///
/// # Panics
/// If the seed fails: the message has the seed and the command that replays it.
pub fn run_seed(seed: u64, operations: u64, workload: &dyn Workload) -> Outcome {
    SEED.set(Some(seed));
    let replay = workload.replay(seed, operations);
    let world = World::new(seed, WorldConfig { replay, ..workload.config(seed) });
    let mut driver = Driver {
        plan: Plan::new(world.prng("plan"), workload.kill_marks()),
        run: workload.begin(&world),
        world: &world,
        lives: 0,
        crashes: 0,
    };
    while driver.run.operations() < operations || driver.crashes == 0 {
        driver.live(operations);
    }
    driver.last_lives();
    let Driver { run, lives, crashes, .. } = driver;
    let outcome = Outcome {
        seed,
        operations: run.operations(),
        lives,
        crashes,
        elapsed: world.elapsed(),
        trace_hash: world.trace_hash(),
        coverage: world.coverage(),
    };
    SEED.set(None);
    outcome
}

/// As [`run_seed`], with a failure instead of a panic.
///
/// # Errors
/// [`Failure`], if the seed fails.
pub fn try_seed(seed: u64, operations: u64, workload: &dyn Workload) -> Result<Outcome, Failure> {
    catch_unwind(AssertUnwindSafe(|| run_seed(seed, operations, workload))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let message = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
        let replay = workload.replay(seed, operations);
        Failure { seed, workload: workload.name(), message: message.to_owned(), replay }
    })
}

/// Runs `workload` under each of `seeds` and merges what they covered.
///
/// # Panics
/// With the first seed that fails.
pub fn run_seeds(seeds: Range<u64>, operations: u64, workload: &dyn Workload) -> Coverage {
    let mut coverage = Coverage::new();
    for seed in seeds {
        coverage.merge(&run_seed(seed, operations, workload).coverage);
    }
    coverage
}

/// The name under which it is counted that a process was killed at a mark.
pub(super) fn killed_at(mark: &str) -> String {
    format!("killed-at.{mark}")
}

struct Driver<'a> {
    world: &'a World,
    plan: Plan,
    run: Box<dyn Run>,
    lives: u64,
    crashes: u64,
}

impl Driver<'_> {
    /// One process from its start to its end, whatever ends it.
    fn live(&mut self, operations: u64) {
        let remaining = operations.saturating_sub(self.run.operations());
        let operations = self.plan.operations(remaining);
        self.start(operations, false);
        let mut stop = self.plan.stop();
        loop {
            let end = self.world.run_until(stop.clone());
            match end {
                RunEnd::Stopped if self.plan.goes_on() => {
                    let (shard, duration) = self.plan.pause(self.world.shards());
                    self.world.pause(ShardId(shard), duration);
                    stop = self.plan.stop();
                }
                RunEnd::Stopped | RunEnd::Halted { .. } => {
                    if let (RunEnd::Stopped, StopAt::Mark { event, .. }) = (&end, &stop) {
                        self.world.count(&killed_at(event));
                    }
                    let crash = self.plan.crash();
                    return self.crash(crash);
                }
                RunEnd::Exited if self.plan.power_loss_after_exit() => return self.crash(Crash::Power),
                RunEnd::Exited => return,
            }
        }
    }

    /// Two lives in which nothing fails: the second reads what the first found, or recovered, after a power
    /// loss in between.
    fn last_lives(&mut self) {
        self.world.set_faults(self.world.faults().without_errors());
        for _ in 0..2 {
            self.start(0, true);
            let end = self.world.run_until(StopAt::Exit);
            if end != RunEnd::Exited {
                self.world.fail(&format!("the last life ended with {end:?}"));
            }
            self.crash(Crash::Power);
        }
        self.run.finish(self.world);
    }

    fn start(&mut self, operations: u64, last: bool) {
        self.lives += 1;
        if self.lives > LIVES_MAX {
            let done = self.run.operations();
            self.world.fail(&format!("only {done} operations in {LIVES_MAX} lives"));
        }
        self.run.start(self.world, Life { number: self.lives, operations, last });
    }

    fn crash(&mut self, crash: Crash) {
        self.crashes += 1;
        self.world.crash(crash);
        self.run.crashed(self.world, crash);
    }
}
