//! Runs workloads in the simulator, one seed or many; or tries everything that can happen in small.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use thalweg_sim::{explore, harness, workloads};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == "explore").is_some() {
        return explore::command(words);
    }
    harness::command(workloads::all(), words)
}
