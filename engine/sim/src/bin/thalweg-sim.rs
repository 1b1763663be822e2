//! Runs workloads in the simulator: one seed, or many.
#![forbid(unsafe_code)]

use std::ops::Range;
use std::process::ExitCode;

use thalweg_sim::harness::{Workload, run_seed, seed_under_way};
use thalweg_sim::{Coverage, workloads};

const USAGE: &str = "\
usage: thalweg-sim [--workload NAME] [--seed N | --seeds A..B] [--ops N] [--covered]

  --workload NAME  run this workload only; without it, all
  --seed N         run seed N
  --seeds A..B     run seeds A to B - 1 (default 0..10)
  --ops N          operations of each seed (default 2000)
  --covered        fail if a fault or path that the workload expects never happened

exit code: 0 passed, 1 a seed failed, 2 wrong usage";

struct Arguments {
    workload: Option<String>,
    seeds: Range<u64>,
    operations: u64,
    covered: bool,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let chosen: Vec<Box<dyn Workload>> = workloads::all()
        .into_iter()
        .filter(|workload| arguments.workload.as_ref().is_none_or(|name| name == workload.name()))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = workloads::all().iter().map(|workload| workload.name()).collect();
        eprintln!("no such workload; there are: {}", names.join(", "));
        return ExitCode::from(2);
    }
    name_the_seed_in_panics();
    let covered = chosen.iter().all(|workload| run(workload.as_ref(), &arguments));
    if covered { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// False if something was to happen and did not.
fn run(workload: &dyn Workload, arguments: &Arguments) -> bool {
    let mut coverage = Coverage::new();
    for seed in arguments.seeds.clone() {
        let outcome = run_seed(seed, arguments.operations, workload);
        let millis = outcome.elapsed.as_millis();
        println!(
            "{} seed {seed}: {} operations, {} lives, {} crashes, {millis} virtual ms, trace {:016x}",
            workload.name(),
            outcome.operations,
            outcome.lives,
            outcome.crashes,
            outcome.trace_hash
        );
        coverage.merge(&outcome.coverage);
    }
    println!("\n{coverage}");
    let missing = coverage.missing(workload.expected());
    if !missing.is_empty() {
        println!("never happened: {missing:?}");
    }
    missing.is_empty() || !arguments.covered
}

/// Where a panic aborts, the hook is all that runs.
fn name_the_seed_in_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        usual(info);
        if let Some(seed) = seed_under_way() {
            eprintln!("seed {seed} failed");
        }
    }));
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { workload: None, seeds: 0..10, operations: 2000, covered: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--workload" => arguments.workload = Some(value()?),
            "--seed" => {
                let seed = number(&value()?)?;
                arguments.seeds = seed..seed + 1;
            }
            "--seeds" => {
                let range = value()?;
                let (from, to) = range.split_once("..").ok_or("seeds are given as A..B".to_owned())?;
                arguments.seeds = number(from)?..number(to)?;
            }
            "--ops" => arguments.operations = number(&value()?)?,
            "--covered" => arguments.covered = true,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(arguments)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}
