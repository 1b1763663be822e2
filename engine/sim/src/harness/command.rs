//! The command line of every program that runs workloads.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use super::drive::{killed_at, seed_under_way};
use super::many::{Tally, run_many};
use super::workload::Workload;

const USAGE: &str = "\
usage: PROGRAM [--workload NAME] [--seed N | --seeds A..B] [--ops N] [--threads N] [--covered] [--tally FILE]

  --workload NAME  run this workload only; without it, all
  --seed N         run seed N
  --seeds A..B     run seeds A to B - 1 (default 0..10)
  --ops N          operations of each seed (default 2000)
  --threads N      seeds that run at once (default 1)
  --covered        fail if a fault or path that the workload expects never happened
  --tally FILE     append to FILE what happened how often: lines of a name and a number, 0 included

exit code: 0 passed, 1 a seed failed or something never happened, 2 wrong usage";

struct Arguments {
    workload: Option<String>,
    seeds: Range<u64>,
    operations: u64,
    threads: usize,
    covered: bool,
    tally: Option<PathBuf>,
}

/// Runs those of `workloads` that the words behind the program's name ask for.
pub fn command(workloads: Vec<Box<dyn Workload>>, words: impl Iterator<Item = String>) -> ExitCode {
    let words: Vec<String> = words.collect();
    let names: Vec<_> = workloads.iter().map(|workload| workload.name()).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}\n\nworkloads: {}", names.join(", "));
        return ExitCode::SUCCESS;
    }
    let arguments = match parse(words.into_iter()) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let is_asked_for = |name: &str| arguments.workload.as_ref().is_none_or(|asked| asked == name);
    if !names.iter().any(|name| is_asked_for(name)) {
        eprintln!("no such workload; there are: {}", names.join(", "));
        return ExitCode::from(2);
    }
    name_the_seed_in_panics();
    let mut passed = true;
    for workload in workloads.iter().filter(|workload| is_asked_for(workload.name())) {
        passed &= run(workload.as_ref(), &arguments);
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// False if a seed failed, or something was to happen and did not.
fn run(workload: &dyn Workload, arguments: &Arguments) -> bool {
    let name = workload.name();
    let tally =
        run_many(arguments.seeds.clone(), arguments.operations, workload, arguments.threads, |outcome| {
            println!(
                "{name} seed {}: {} operations, {} lives, {} crashes, {} virtual ms, trace {:016x}",
                outcome.seed,
                outcome.operations,
                outcome.lives,
                outcome.crashes,
                outcome.elapsed.as_millis(),
                outcome.trace_hash
            );
        });
    println!("\n{}", tally.coverage);
    let missing = missing(workload, &tally);
    if !missing.is_empty() {
        println!("never happened in {name}: {}", missing.join(", "));
    }
    for failure in &tally.failures {
        println!("FAILED: {name} seed {}\nreplay: {}", failure.seed, failure.replay);
    }
    if let Some(path) = &arguments.tally
        && let Err(error) = append(path, &lines(workload, &tally))
    {
        eprintln!("{path:?} cannot be written: {error}");
        return false;
    }
    tally.failures.is_empty() && (missing.is_empty() || !arguments.covered)
}

/// What the workload expects and what never happened, a kill at each of its marks included.
fn missing(workload: &dyn Workload, tally: &Tally) -> Vec<String> {
    let expected = workload.expected().iter().map(|name| (*name).to_owned());
    let kills = workload.kill_marks().iter().map(|mark| killed_at(mark));
    expected.chain(kills).filter(|name| tally.coverage.of(name) == 0).collect()
}

/// What `--tally` writes.
fn lines(workload: &dyn Workload, tally: &Tally) -> String {
    let mut text = String::new();
    let totals = [("=seeds", tally.seeds), ("=operations", tally.operations), ("=crashes", tally.crashes)];
    let missing = missing(workload, tally);
    let never = missing.iter().map(|name| (name.as_str(), 0));
    for (name, count) in totals.into_iter().chain(tally.coverage.iter()).chain(never) {
        let _ = writeln!(text, "{name} {count}");
    }
    text
}

fn append(path: &PathBuf, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
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
    let mut arguments =
        Arguments { workload: None, seeds: 0..10, operations: 2000, threads: 1, covered: false, tally: None };
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
            "--threads" => arguments.threads = number(&value()?)? as usize,
            "--covered" => arguments.covered = true,
            "--tally" => arguments.tally = Some(PathBuf::from(value()?)),
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(arguments)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}
