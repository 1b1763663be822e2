//! The command itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::clock::now;
use super::options::{Options, USAGE};
use super::patch::{Patch, choose, load, select};
use super::report::{Outcome, Row, heading};
use super::scratch::Scratch;
use super::seeds::{Caught, first_caught};

/// Where the patches are.
const PATCHES: &str = "engine/sim/sabotage";

/// Sabotages that a check runs.
const CHECK_RUNS: usize = 3;

/// Tries sabotages on the commit that is checked out in `root`, in a copy of it below `target`. Fails if one is
/// not caught, cannot be tried, or if the tree without it fails too.
///
/// # Errors
/// If the copy cannot be made or built, or a patch's description cannot be read.
pub fn command(root: &Path, target: &Path, options: &Options) -> Result<ExitCode> {
    if options.help {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut patches = select(load(&root.join(PATCHES))?, &options.only)?;
    for patch in &mut patches {
        patch.seeds = options.seeds.unwrap_or(patch.seeds);
    }
    if options.list {
        for patch in &patches {
            println!("{}: {}", patch.name, patch.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let scratch = Scratch::of(root, &target.join("sabotage"))?;
    println!("commit {}, {} sabotages", scratch.commit, patches.len());
    let mut failures = Vec::new();
    if options.check {
        failures.extend(uncompiled(&scratch, &patches)?);
        patches = choose(&patches, &scratch.commit, CHECK_RUNS)?;
    }
    failures.extend(clean_failures(&scratch, &patches)?);
    let mut rows = Vec::new();
    for patch in patches {
        let begun = now();
        let outcome = attempt(&scratch, &patch).unwrap_or_else(|error| Outcome::Broken(format!("{error:#}")));
        scratch.restore()?;
        if let Outcome::Broken(why) = &outcome {
            println!("{}: {why}", patch.name);
        }
        let row = Row { patch, outcome, took: begun.elapsed() };
        println!("{row}");
        rows.push(row);
    }
    println!("\n{}", heading());
    for row in &rows {
        println!("{row}");
    }
    failures.extend(rows.iter().filter(|row| !row.is_caught()).map(|row| row.to_string()));
    for failure in &failures {
        println!("FAILED: {failure}");
    }
    println!("{} of {} sabotages caught", rows.iter().filter(|row| row.is_caught()).count(), rows.len());
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries that every patch applies and compiles; returns what does not.
///
/// Those that change different lines are compiled together: what compiles among others compiles alone, but for
/// patches that need each other, which running them would show.
fn uncompiled(scratch: &Scratch, patches: &[Patch]) -> Result<Vec<String>> {
    let begun = now();
    let (mut failures, mut builds) = (Vec::new(), 0);
    let mut rest: Vec<&Patch> = patches.iter().collect();
    while !rest.is_empty() {
        let (mut group, mut later) = (Vec::new(), Vec::new());
        for patch in rest {
            match scratch.apply(patch) {
                Ok(()) => group.push(patch),
                Err(error) if group.is_empty() => failures.push(format!("{}: {error:#}", patch.name)),
                Err(_) => later.push(patch),
            }
        }
        builds += 1;
        let together = scratch.check();
        scratch.restore()?;
        if together.is_err() {
            failures.extend(uncompiled_alone(scratch, &group)?);
        }
        rest = later;
    }
    let (count, took) = (patches.len(), begun.elapsed().as_secs_f64());
    let whole = count - failures.len();
    println!("{whole} of {count} patches apply and compile, {took:.0} s for {builds} combinations");
    Ok(failures)
}

/// Which of `patches` do not compile.
fn uncompiled_alone(scratch: &Scratch, patches: &[&Patch]) -> Result<Vec<String>> {
    let mut failures = Vec::new();
    for patch in patches {
        scratch.apply(patch)?;
        if let Err(error) = scratch.check() {
            failures.push(format!("{}: {error:#}", patch.name));
        }
        scratch.restore()?;
    }
    Ok(failures)
}

/// Runs every seed that `patches` may be caught by on the tree as it is: each has to pass. Returns those that
/// do not.
fn clean_failures(scratch: &Scratch, patches: &[Patch]) -> Result<Vec<String>> {
    let begun = now();
    let simulator = scratch.build()?;
    let built = begun.elapsed().as_secs_f64();
    let mut bounds: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for patch in patches {
        let bound = bounds.entry((&patch.workload, patch.operations)).or_default();
        *bound = patch.seeds.max(*bound);
    }
    ensure!(!bounds.is_empty(), "there is nothing to run");
    let mut failures = Vec::new();
    for ((workload, operations), seeds) in &bounds {
        match first_caught(&simulator, workload, *operations, *seeds) {
            Ok(None) => {}
            Ok(Some(Caught { seed, why })) => {
                failures.push(format!("the tree without sabotage: {workload}, seed {seed}: {why}"));
            }
            Err(error) => failures.push(format!("the tree without sabotage: {workload}: {error:#}")),
        }
    }
    let seeds: u64 = bounds.values().sum();
    let took = begun.elapsed().as_secs_f64();
    if failures.is_empty() {
        println!("the tree without sabotage passes {seeds} seeds, {took:.0} s, {built:.0} of them its build");
    }
    Ok(failures)
}

fn attempt(scratch: &Scratch, patch: &Patch) -> Result<Outcome> {
    scratch.apply(patch)?;
    let simulator = scratch.build()?;
    let caught = first_caught(&simulator, &patch.workload, patch.operations, patch.seeds)?;
    Ok(caught.map_or(Outcome::Missed, Outcome::Caught))
}
