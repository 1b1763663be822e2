//! What tasks say of themselves.

use std::time::Duration;

use thalweg_engine::model::Offset;

use super::TaskFailure;
use crate::task::TaskCounters;

/// Where a task is in its life.
#[derive(Clone, Debug, Default)]
pub enum TaskState {
    /// Finding its stores and positions.
    #[default]
    Starting,
    /// Processing, or waiting for input.
    Running,
    /// Told to stop; everything that it processed is committed.
    Stopped,
    /// Ended by itself.
    Failed(TaskFailure),
}

/// How far a task is in one input.
#[derive(Clone, Debug)]
pub struct InputProgress {
    /// The topic.
    pub topic: String,
    /// Number of the partition in it.
    pub partition: u32,
    /// The next offset to read, as committed.
    pub committed: Offset,
    /// The next offset to process.
    pub processed: Offset,
}

/// What a task has done since it was started.
#[derive(Clone, Debug)]
pub struct TaskProgress {
    /// Number of its sub-topology.
    pub sub: usize,
    /// Its partition.
    pub partition: u32,
    /// Where it is in its life.
    pub state: TaskState,
    /// Its inputs.
    pub inputs: Vec<InputProgress>,
    /// Records.
    pub counters: TaskCounters,
    /// Why the record that was skipped last was: a [`TaskFailure::Record`].
    pub last_skipped: Option<TaskFailure>,
    /// Commits that are durable.
    pub commits: u64,
    /// The commit under way, or a name that the task needs first, waits for space on the device.
    pub lacks_space: bool,
    /// The longest that a commit took to become durable.
    pub commit_time_max: Duration,
}
