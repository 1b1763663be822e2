//! Word count on simulated shards that crash: every word counts exactly once.

mod life;
mod oracle;
mod workload;

use thalweg_sim::harness::{run_seed, run_seeds};
use workload::WordCount;

#[test]
fn every_word_counts_exactly_once_on_one_shard_that_crashes() {
    run_seeds(0..12, 200, &WordCount { shards: 1 });
}

#[test]
fn every_word_counts_exactly_once_on_two_shards_that_crash() {
    let coverage = run_seeds(100..124, 200, &WordCount { shards: 2 });
    coverage.assert_covered(&["task-commit-too-large", "task-resumed", "streams.stopped"]);
}

#[test]
fn a_seed_runs_the_same_way_again() {
    let workload = WordCount { shards: 2 };
    let one = run_seed(7, 100, &workload);
    let other = run_seed(7, 100, &workload);
    assert_eq!(one.trace_hash, other.trace_hash);
}
