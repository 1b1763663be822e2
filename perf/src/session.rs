//! What the scenarios of one run share.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::bed::EngineArgs;
use crate::machine::{FileSystem, Machine};
use crate::scratch::{self, Scratch};

/// How often and how long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rounds of every comparison; at least [`ROUNDS_MIN`].
    pub rounds: usize,
    /// Length of one contestant's turn in one round.
    pub turn: Duration,
}

/// Fewer rounds do not tell a difference from noise.
pub(crate) const ROUNDS_MIN: usize = 5;

/// One run of one or more scenarios.
pub(crate) struct Session {
    pub(crate) effort: Effort,
    pub(crate) engine: EngineArgs,
    pub(crate) scratch: Scratch,
    pub(crate) machine: Machine,
    figures: Map<String, Value>,
}

impl Session {
    pub(crate) fn new(effort: Effort, engine: EngineArgs, scratch: Scratch, machine: Machine) -> Self {
        Self { effort, engine, scratch, machine, figures: Map::new() }
    }

    /// Refuses to go on unless the device has room for `bytes` now.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn require_space(&self, scenario: &str, bytes: u64) -> Result<()> {
        scratch::require(scenario, bytes, &FileSystem::of(self.scratch.path())?)
    }

    /// Writes down a figure of `scenario`.
    pub(crate) fn record(&mut self, scenario: &str, name: &str, figure: impl Serialize) {
        let figure = serde_json::to_value(figure).expect("figures are plain data");
        let scenario = self.figures.entry(scenario).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(figures) = scenario else { unreachable!("a scenario is an object") };
        let earlier = figures.insert(name.to_owned(), figure);
        assert!(earlier.is_none(), "{name} is recorded once");
    }

    /// Everything written down.
    pub(crate) fn figures(&self) -> &Map<String, Value> {
        &self.figures
    }
}
