//! Seeds.

use thalweg_sim::harness::{Workload, run_seed, run_seeds};

use super::workload::LogWorkload;

/// A number from the environment, to run a seed again, or more of them.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn one_seed() {
    let outcome = run_seed(number("LOG_SEED", 1), number("LOG_OPERATIONS", 2000), &LogWorkload);
    assert!(outcome.crashes > 0);
}

#[test]
fn a_seed_runs_the_same_way_twice() {
    let hash = |seed| run_seed(seed, 300, &LogWorkload).trace_hash;
    assert_eq!(hash(5), hash(5));
    assert_ne!(hash(5), hash(6));
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_else_half_there() {
    let first = number("LOG_SEED", 0);
    let coverage = run_seeds(first..first + number("LOG_SEEDS", 80), 600, &LogWorkload);
    println!("{coverage}");
    coverage.assert_covered(LogWorkload.expected());
}
