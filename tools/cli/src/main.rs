//! The `thalweg` binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use thalweg::args::Thalweg;
use thalweg::signal::survive_file_size_limit;

#[global_allocator]
static MEMORY: thalweg_runtime::HugePages = thalweg_runtime::HugePages;

fn main() -> ExitCode {
    let arguments = Thalweg::parse();
    match survive_file_size_limit().and_then(|()| thalweg::run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.code == thalweg::exit::ExitCode::Done => ExitCode::SUCCESS,
        Err(failure) => {
            thalweg::output::say(&format!("error: {failure}"));
            ExitCode::from(failure.code as u8)
        }
    }
}
