//! Many seeds of one workload, over several threads. A seed runs on one thread alone, so that it runs the same
//! way however many there are.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::drive::{Failure, Outcome, try_seed};
use super::workload::Workload;
use crate::coverage::Coverage;

/// Failed seeds after which no further one is begun: they rarely say more than the first ones.
const FAILURES_MAX: usize = 5;

/// What many seeds came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Seeds that ran through.
    pub seeds: u64,
    /// Operations answered in them.
    pub operations: u64,
    /// Crashes survived in them.
    pub crashes: u64,
    /// What they covered.
    pub coverage: Coverage,
    /// Seeds that failed, sorted.
    pub failures: Vec<Failure>,
}

impl Tally {
    fn add(&mut self, result: Result<Outcome, Failure>) {
        match result {
            Ok(outcome) => {
                self.seeds += 1;
                self.operations += outcome.operations;
                self.crashes += outcome.crashes;
                self.coverage.merge(&outcome.coverage);
            }
            Err(failure) => self.failures.push(failure),
        }
    }
}

/// Runs `workload` under each of `seeds`, `operations` operations each, on `threads` threads. Goes on after a
/// seed that fails, but not after many. `each` is told of every seed that ran through, as they end.
pub fn run_many(
    seeds: Range<u64>,
    operations: u64,
    workload: &dyn Workload,
    threads: usize,
    each: impl Fn(&Outcome) + Sync,
) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Tally::default());
    let lock = || tally.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while lock().failures.len() < FAILURES_MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let result = try_seed(seed, operations, workload);
                    if let Ok(outcome) = &result {
                        each(outcome);
                    }
                    lock().add(result);
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.failures.sort_by_key(|failure| failure.seed);
    tally
}
