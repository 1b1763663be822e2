//! The scenario: fill, then kill and start again, round by round.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::process::Process;
use super::saying::Saying;
use crate::bed::verdict;
use crate::measure::{Series, Unit};
use crate::session::Session;

const SCENARIO: &str = "restart";

/// Longest time from `exec` to the first read and the first durable append. Milliseconds.
const RESTART_MS_MAX: f64 = 1000.0;

/// A child that is silent for longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Most that the log, its pool and headers take beside the data: a twentieth of it, and this. Bytes.
const BESIDE_DATA_BYTES: u64 = 1 << 30;

/// Most that one round adds. Bytes.
const ROUND_BYTES: u64 = 500 << 20;

/// How long a child appends before it is killed, in the first round; each round waits longer by the step.
const KILL_DELAY: Duration = Duration::from_millis(100);
const KILL_DELAY_STEP: Duration = Duration::from_millis(70);

/// Steps after which delays begin anew.
const KILL_DELAYS: usize = 5;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub(crate) struct RestartArgs {
    /// What the folder holds before the first kill, in millions of bytes
    #[arg(long, value_name = "MB", default_value_t = RestartArgs::default().size,
          value_parser = clap::value_parser!(u64).range(10..=20_000))]
    pub(crate) size: u64,
}

impl Default for RestartArgs {
    fn default() -> Self {
        Self { size: 10_000 }
    }
}

/// What a start took, by its end.
struct Starts {
    opened: Series,
    read: Series,
    appended: Series,
    replayed: Series,
}

/// Runs the scenario.
///
/// # Errors
/// If a child fails, or a record that was acknowledged is not there any more.
pub(crate) fn run(session: &mut Session, args: &RestartArgs) -> Result<()> {
    let bytes = args.size * 1_000_000;
    let rounds = session.effort.rounds;
    session.require_space(SCENARIO, bytes + bytes / 20 + BESIDE_DATA_BYTES + rounds as u64 * ROUND_BYTES)?;
    println!();
    println!("restart: {} MB in the folder, killed (SIGKILL) amid appends; times from exec", args.size);
    let folder = session.scratch.join("restart");
    let mut starts = Starts::new();
    let mut child = Process::start(&folder, bytes, session.engine)?;
    await_filled(&mut child).context("filling the folder")?;
    for round in 0..rounds {
        let delay = KILL_DELAY + KILL_DELAY_STEP * (round % KILL_DELAYS) as u32;
        let acknowledged = child.kill_after(delay).context("amid appends")?;
        child = Process::start(&folder, 0, session.engine)?;
        starts.push(&mut child, acknowledged).with_context(|| format!("start {}", round + 1))?;
    }
    drop(child);
    starts.report(session);
    std::fs::remove_dir_all(&folder).context("the folder could not be removed")
}

fn await_filled(child: &mut Process) -> Result<()> {
    loop {
        if let (_, Saying::Filled) = child.next(PATIENCE)? {
            return Ok(());
        }
    }
}

impl Starts {
    fn new() -> Self {
        let milliseconds = || Series::new(Unit::Milliseconds);
        Self {
            opened: milliseconds(),
            read: milliseconds(),
            appended: milliseconds(),
            replayed: Series::new(Unit::Megabytes),
        }
    }

    /// Follows a child's start to its end.
    fn push(&mut self, child: &mut Process, acknowledged: u64) -> Result<()> {
        loop {
            let (at, saying) = child.next(PATIENCE)?;
            let milliseconds = at.as_secs_f64() * 1e3;
            match saying {
                Saying::Opened => self.opened.push(milliseconds),
                Saying::Read => self.read.push(milliseconds),
                Saying::Appended(offset) => {
                    ensure!(
                        offset >= acknowledged,
                        "records up to {acknowledged} were acknowledged, only those up to {offset} are there"
                    );
                    self.appended.push(milliseconds);
                }
                Saying::Replayed(bytes) => self.replayed.push(bytes as f64 / 1e6),
                Saying::Filled => return Ok(()),
                Saying::Acknowledged(_) => bail!("the child appends before it says that it does"),
            }
        }
    }

    fn report(&self, session: &mut Session) {
        for (label, key, series) in [
            ("folder open", "opened", &self.opened),
            ("first read", "read", &self.read),
            ("first durable append", "appended", &self.appended),
            ("log replayed", "replayed", &self.replayed),
        ] {
            series.print(label);
            session.record(SCENARIO, key, series);
        }
        let worst = self.appended.max().max(self.read.max());
        let target = format!("at most {RESTART_MS_MAX} ms in every round");
        verdict(
            "first read and first durable append",
            &format!("{worst:.0} ms"),
            &target,
            worst <= RESTART_MS_MAX,
        );
    }
}
