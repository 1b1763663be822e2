//! The `thalweg` binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use thalweg::args::Thalweg;

fn main() -> ExitCode {
    match thalweg::run(&Thalweg::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.code == thalweg::exit::ExitCode::Done => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code as u8)
        }
    }
}
