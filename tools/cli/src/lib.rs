//! The command line of Thalweg, as a library: a program of one's own can do whatever the binary does.
//!
//! [`args`] says what can be asked, [`command`] does it, one file per command; [`run`] joins the two.
#![forbid(unsafe_code)]

/// The README's Rust compiles, and its word count runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

pub mod args;
pub mod clock;
pub mod command;
pub mod demo;
pub mod exit;
pub mod output;
pub mod records;
pub mod session;
pub mod signal;
pub mod topologies;

use args::{Command, Thalweg};
use exit::Failure;

/// Does what the command line says.
///
/// # Errors
/// A [`Failure`] with the exit code and the message for standard error.
pub fn run(arguments: &Thalweg) -> Result<(), Failure> {
    match &arguments.command {
        Command::Demo(args) => command::demo::run(args),
        Command::Streams(args) => command::streams::run(args),
        Command::Topic(args) => command::topic::run(args),
        Command::Produce(args) => command::produce::run(args),
        Command::Consume(args) => command::consume::run(args),
        Command::Group(args) => command::group::run(args),
        Command::Log(args) => command::log::run(args),
        Command::Device(args) => command::device::run(args),
        Command::Completions(args) => command::completions::run(args),
    }
}
