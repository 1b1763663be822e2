//! `thalweg-perf`: see the crate's documentation.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    thalweg_perf::run()
}
