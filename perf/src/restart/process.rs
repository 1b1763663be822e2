//! The parent's side of a child process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::saying::Saying;
use crate::bed::EngineArgs;
use crate::measure::Stopwatch;

/// A child of this program, with its data folder open. Killed when it is dropped.
pub(super) struct Process {
    child: Child,
    sayings: Receiver<(Duration, Result<Saying>)>,
}

impl Process {
    /// Starts one. Times of its sayings count from now.
    ///
    /// # Errors
    /// If this program cannot start itself.
    pub(super) fn start(folder: &Path, bytes: u64, engine: EngineArgs) -> Result<Self> {
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let mut command = Command::new(program);
        command
            .arg("restart-child")
            .arg(folder)
            .args(["--bytes", &bytes.to_string()])
            .args(engine.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let begin = Stopwatch::start();
        let mut child = command.spawn().context("this program cannot start itself")?;
        let output = child.stdout.take().expect("the output is piped");
        let (sender, sayings) = channel();
        Builder::new()
            .name("child".to_owned())
            .spawn(move || {
                for line in BufReader::new(output).lines() {
                    let at = begin.elapsed();
                    let saying = line.context("the child's output").and_then(|line| line.parse());
                    if sender.send((at, saying)).is_err() {
                        break;
                    }
                }
            })
            .context("no thread for the child's output")?;
        Ok(Self { child, sayings })
    }

    /// The child's next saying, and when it said it, since its start.
    ///
    /// # Errors
    /// If it does not say anything for `patience`, ends, or says what is not understood.
    pub(super) fn next(&mut self, patience: Duration) -> Result<(Duration, Saying)> {
        match self.sayings.recv_timeout(patience) {
            Ok((at, saying)) => Ok((at, saying?)),
            Err(RecvTimeoutError::Timeout) => bail!("the child said nothing for {patience:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().context("the child")?;
                bail!("the child ended: {status}")
            }
        }
    }

    /// Kills the child with SIGKILL, after `delay` amid its appends. Returns the offset before which it had
    /// acknowledged everything.
    ///
    /// # Errors
    /// If it ended before.
    pub(super) fn kill_after(mut self, delay: Duration) -> Result<u64> {
        let begin = Stopwatch::start();
        let mut acknowledged = 0;
        while let Some(rest) = delay.checked_sub(begin.elapsed()) {
            match self.next(rest) {
                Ok((_, Saying::Acknowledged(offset))) => acknowledged = offset,
                Ok((_, other)) => bail!("the child said '{other}' amid its appends"),
                Err(error) if begin.elapsed() < delay => return Err(error),
                Err(_) => break,
            }
        }
        if let Some(status) = self.child.try_wait().context("the child")? {
            bail!("the child ended before it was killed: {status}");
        }
        self.child.kill().context("the child could not be killed")?;
        self.child.wait().context("the child")?;
        // What it said before it died still counts.
        for (_, saying) in self.sayings.iter() {
            // The last line may have been cut.
            if let Ok(Saying::Acknowledged(offset)) = saying {
                acknowledged = offset;
            }
        }
        Ok(acknowledged)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already after `kill_after`; then neither has anything to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
