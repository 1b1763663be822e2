//! Runs seeds until one fails.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::clock::{now, pause};

/// How long a seed may take. The simulator ends a seed that goes nowhere by itself, after a number of steps;
/// one that it does not end was not caught by it.
const SEED_TIME_MAX: Duration = Duration::from_secs(180);

/// Between two looks at whether a seed has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A seed that the simulator failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Caught {
    pub(super) seed: u64,
    /// The first line of what it says.
    pub(super) why: String,
}

/// Runs seeds from 0 up to `seeds` of a workload, one after the other; returns the first that fails.
///
/// # Errors
/// If a seed ends in any other way than by passing or by a failure that the simulator reports.
pub(super) fn first_caught(
    simulator: &Path,
    workload: &str,
    operations: u64,
    seeds: u64,
) -> Result<Option<Caught>> {
    for seed in 0..seeds {
        if let Some(why) = run(simulator, workload, operations, seed)? {
            return Ok(Some(Caught { seed, why }));
        }
    }
    Ok(None)
}

/// Why a seed failed, if it did.
fn run(simulator: &Path, workload: &str, operations: u64, seed: u64) -> Result<Option<String>> {
    // A file takes any amount without waiting for a reader.
    let path = simulator.with_extension(format!("{workload}.log"));
    let log = File::create(&path).with_context(|| format!("{path:?}"))?;
    let mut command = Command::new(simulator);
    command.args(["--workload", workload]);
    command.args(["--ops", &operations.to_string(), "--seed", &seed.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).env("RUST_BACKTRACE", "0");
    let mut child = command.spawn().with_context(|| format!("{simulator:?} cannot be run"))?;
    let status = wait(&mut child)?;
    let said = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
    let Some(status) = status else {
        bail!("seed {seed} did not end within {} s, and nobody noticed", SEED_TIME_MAX.as_secs());
    };
    if status.success() {
        return Ok(None);
    }
    let reported = said.lines().any(|line| line == format!("seed {seed} failed"));
    ensure!(reported, "seed {seed} ended with {status}, and not by a failure of the seed:\n{}", tail(&said));
    Ok(Some(first_line(&said)))
}

fn wait(child: &mut Child) -> Result<Option<ExitStatus>> {
    let begun = now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > SEED_TIME_MAX {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        pause(LOOK_INTERVAL);
    }
}

/// The words of the first panic: one line, and the two values if that compares them.
fn first_line(said: &str) -> String {
    let lines = said.lines().skip_while(|line| !line.contains("panicked at ")).skip(1);
    let mut words = lines.map(str::trim).filter(|line| !line.is_empty());
    let first = words.next().unwrap_or("without words").to_owned();
    let values = words.take_while(|line| line.starts_with("left: ") || line.starts_with("right: "));
    values.fold(first, |line, value| line + ", " + value)
}

fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    /// A program that stands for the simulator: what it does with seed 3.
    fn program(name: &str, seed_three: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("thalweg-xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("simulator");
        let text = format!("#!/bin/sh\n[ \"$6\" = 3 ] || exit 0\n{seed_three}\n");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn try_all(name: &str, seed_three: &str, seeds: u64) -> Result<Option<Caught>> {
        let program = program(name, seed_three);
        let result = first_caught(&program, "log", 10, seeds);
        fs::remove_dir_all(program.parent().unwrap()).unwrap();
        result
    }

    #[test]
    fn the_first_seed_that_is_reported_is_the_catch() {
        let report =
            "printf \"\\nthread 'main' panicked at x.rs:1:1:\\n it is lost\\nseed 3 failed\\n\" >&2; exit 1";
        let caught = try_all("report", report, 9).unwrap();
        assert_eq!(caught, Some(Caught { seed: 3, why: "it is lost".to_owned() }));
        assert_eq!(try_all("below", report, 3).unwrap(), None);
    }

    #[test]
    fn a_comparison_is_told_with_its_values() {
        let said = "thread 'main' panicked at x.rs:1:1:\nassertion `left == right` failed\n  left: 1\n right: 2\nnote";
        assert_eq!(first_line(said), "assertion `left == right` failed, left: 1, right: 2");
    }

    #[test]
    fn a_program_that_just_ends_is_no_catch() {
        assert!(try_all("exit", "exit 1", 9).is_err());
        assert!(try_all("signal", "kill -9 $$", 9).is_err());
        assert!(try_all("other-seed", "echo 'seed 4 failed' >&2; exit 1", 9).is_err());
    }
}
