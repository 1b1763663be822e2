//! What came of each sabotage, as a table.

use std::fmt;
use std::time::Duration;

use super::patch::Patch;
use super::seeds::Caught;

/// What came of one sabotage.
pub(super) enum Outcome {
    /// The simulator noticed.
    Caught(Caught),
    /// It did not.
    Missed,
    /// It could not be tried: the patch does not apply or compile, or a seed neither passed nor failed.
    Broken(String),
}

/// One row of the table.
pub(super) struct Row {
    pub(super) patch: Patch,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
}

impl Row {
    pub(super) fn is_caught(&self) -> bool {
        matches!(self.outcome, Outcome::Caught(_))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caught_by, run, why) = match &self.outcome {
            Outcome::Caught(caught) => {
                (format!("seed {}", caught.seed), caught.seed + 1, caught.why.as_str())
            }
            Outcome::Missed => ("NOT CAUGHT".to_owned(), self.patch.seeds, self.patch.what.as_str()),
            Outcome::Broken(why) => ("NOT TRIED".to_owned(), 0, why.lines().next().unwrap_or_default()),
        };
        let why: String = why.chars().take(100).collect();
        let (name, workload, took) = (&self.patch.name, &self.patch.workload, self.took.as_secs_f64());
        write!(formatter, "{name:<32} {workload:<10} {caught_by:<11} {run:>3} {took:>6.1}  {why}")
    }
}

/// The first line of the table.
pub(super) fn heading() -> String {
    format!(
        "{:<32} {:<10} {:<11} {:>3} {:>6}  {}",
        "sabotage", "workload", "caught by", "run", "s", "what the simulator said"
    )
}
