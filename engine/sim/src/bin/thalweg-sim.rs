//! Runs workloads in the simulator: one seed, or many.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use thalweg_sim::harness::command;
use thalweg_sim::workloads;

fn main() -> ExitCode {
    command(workloads::all(), std::env::args().skip(1))
}
