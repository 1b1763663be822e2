//! What an exploration found.

use std::collections::BTreeMap;
use std::fmt;

use super::scope::Scope;

/// What was tried, where nothing was found wrong.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Explored {
    /// Times that a process was run from its start.
    pub runs: u64,
    /// Distinct states of a process at rest.
    pub states: u64,
    /// Crashes tried: one for each state, kind and content that it may leave.
    pub crashes: u64,
    /// Distinct starts after a crash: disk and promises.
    pub starts: u64,
    /// Of those, starts after the last crash.
    pub ends: u64,
    /// A sum over the distinct starts; equal sets have equal sums.
    pub digest: u128,
    /// How often each kind of choice was taken, and what the log marked, by name.
    pub counts: BTreeMap<String, u64>,
}

impl Explored {
    /// How often a choice was taken, or a mark was passed.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, name: &str, count: u64) {
        match self.counts.get_mut(name) {
            Some(sum) => *sum += count,
            None => {
                self.counts.insert(name.to_owned(), count);
            }
        }
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, states, crashes, starts, ends, .. } = self;
        writeln!(
            f,
            "{states} states, {crashes} crashes, {starts} starts, {ends} of them the last, {runs} runs"
        )?;
        for (name, count) in &self.counts {
            writeln!(f, "{count:>9} {name}")?;
        }
        Ok(())
    }
}

/// A sequence of choices after which the durability rule is broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// In which world.
    pub scope: Scope,
    /// The choices, for [`replay`](super::replay).
    pub choices: Vec<u32>,
    /// What is wrong at the end.
    pub what: String,
    /// What happened until then.
    pub story: Vec<String>,
    /// Sequences that end wrongly, this one included, where the exploration ended.
    pub count: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        for (number, line) in self.story.iter().enumerate() {
            writeln!(f, "{:>4}. {line}", number + 1)?;
        }
        let Scope { name, appends, crashes, .. } = self.scope;
        let choices: Vec<String> = self.choices.iter().map(u32::to_string).collect();
        write!(
            f,
            "{} sequences of choices end wrongly; this one again: thalweg-sim explore {name} --appends {appends} \
             --crashes {crashes} --choices {}",
            self.count,
            choices.join(",")
        )
    }
}

impl std::error::Error for Failure {}
