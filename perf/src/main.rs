//! `thalweg-perf`: see the crate's documentation.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static MEMORY: thalweg_runtime::HugePages = thalweg_runtime::HugePages;

fn main() -> ExitCode {
    thalweg_perf::run()
}
