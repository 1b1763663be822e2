//! What the command line starts.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use crate::args::{AllArgs, Arguments, CommonArgs, Scenario};
use crate::history::{Entry, date};
use crate::machine::{Machine, revision};
use crate::measure::unix_seconds;
use crate::scratch::Scratch;
use crate::session::{Effort, Session};
use crate::{append, floor, hop, latency, partitions, read_back, restart, word_count};

/// Where runs are written down, from the sources of this package.
const HISTORY: &str = "latency/history.jsonl";

/// Runs the program with the process' arguments.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.scenario {
        Scenario::RestartChild(args) => restart::run_child(args, arguments.common.engine),
        _ => measure(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("thalweg-perf: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let began = unix_seconds();
    let common = &arguments.common;
    let place = place(common)?;
    let machine = Machine::learn(&place)?;
    let revision = revision();
    println!(
        "thalweg-perf {} at {}",
        env!("CARGO_PKG_VERSION"),
        revision.as_deref().unwrap_or("no git revision")
    );
    machine.print();
    warn_if_debug();
    println!(
        "effort       {} rounds, turns of {} ms; each line: median, unit, [every round]",
        common.rounds, common.turn_ms
    );
    let effort = Effort { rounds: common.rounds as usize, turn: Duration::from_millis(common.turn_ms) };
    let mut session = Session::new(effort, common.engine, Scratch::make(&place)?, machine);
    run_scenario(&mut session, &arguments.scenario)?;
    if common.no_history {
        return Ok(());
    }
    let command: Vec<String> = std::env::args().skip(1).collect();
    let file =
        common.history.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(HISTORY));
    Entry {
        date: date(began),
        revision,
        command: &command.join(" "),
        machine: &session.machine,
        figures: session.figures(),
    }
    .append_to(&file)?;
    println!();
    println!("written down in {}", file.display());
    Ok(())
}

fn run_scenario(session: &mut Session, scenario: &Scenario) -> Result<()> {
    match scenario {
        Scenario::Floor(args) => floor::run(session, args),
        Scenario::Hop(args) => hop::run(session, args),
        Scenario::Append(args) => append::run(session, args),
        Scenario::Latency(args) => latency::run(session, args),
        Scenario::Restart(args) => restart::run(session, args),
        Scenario::WordCount(args) => word_count::run(session, args),
        Scenario::Partitions(args) => partitions::run(session, args),
        Scenario::ReadBack(args) => read_back::run(session, args),
        Scenario::All(args) => run_all(session, args),
        Scenario::RestartChild(_) => unreachable!("a child is not a session"),
    }
}

fn run_all(session: &mut Session, args: &AllArgs) -> Result<()> {
    let mut restart_args = restart::RestartArgs::default();
    let mut word_count_args = word_count::WordCountArgs::default();
    let (mut partitions_args, mut read_back_args) =
        (partitions::PartitionsArgs::default(), read_back::ReadBackArgs::default());
    if args.quick {
        (partitions_args, read_back_args) =
            (partitions::PartitionsArgs::quick(), read_back::ReadBackArgs::quick());
        restart_args.size /= 10;
        word_count_args.copies /= 10;
    }
    floor::run(session, &floor::FloorArgs::default())?;
    hop::run(session, &hop::HopArgs::default())?;
    append::run(session, &append::AppendArgs::default())?;
    latency::run(session, &latency::LatencyArgs::default())?;
    partitions::run(session, &partitions_args)?;
    read_back::run(session, &read_back_args)?;
    restart::run(session, &restart_args)?;
    word_count::run(session, &word_count_args)
}

/// The folder on the device to be measured.
fn place(common: &CommonArgs) -> Result<PathBuf> {
    if let Some(folder) = &common.data {
        return folder.canonicalize().with_context(|| format!("{folder:?} is no folder"));
    }
    let program = std::env::current_exe()
        .context("this program does not know where it is; name a folder with --data")?;
    Ok(program.parent().context("a program lies in a folder")?.to_owned())
}

fn warn_if_debug() {
    if cfg!(debug_assertions) {
        println!("note: this is a debug build: nothing it prints is a measurement (cargo run --release)");
    }
}
