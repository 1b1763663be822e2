//! Runs the word count in the simulator: one seed, or many.
#![forbid(unsafe_code)]

mod life;
mod oracle;
mod workload;

use std::process::ExitCode;

use thalweg_sim::harness::command;
use workload::WordCount;

fn main() -> ExitCode {
    let workloads = [1, 2].map(|shards| Box::new(WordCount { shards }) as _);
    command(workloads.into(), std::env::args().skip(1))
}
