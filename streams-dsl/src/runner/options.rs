//! How tasks run.

use std::time::Duration;

use crate::limits::{COMMIT_INTERVAL_DEFAULT, COMMIT_SIZE_TARGET_DEFAULT};

/// How the tasks of a topology run. The same on every shard.
#[derive(Clone, Copy, Debug)]
pub struct RunnerOptions {
    /// How long an input may wait for the commit that holds its effects. Zero: commit as soon as the commit
    /// before is durable. Tasks that read repartition topics only commit what they find there at once: it has
    /// waited before. Default: 100 ms.
    pub commit_interval: Duration,
    /// Bytes of outputs and state changes at which a task commits earlier. Default: 8 MiB. Cut further by
    /// itself where such a commit does not fit into a frame.
    pub commit_size_target: usize,
    /// Partitions of repartition topics when they are made. Default: as many as the topics that feed them.
    pub repartition_partitions: Option<u32>,
    /// Whether to make topics that are written and do not exist, with as many partitions as the topics that
    /// feed them. Default: yes.
    pub create_missing_sinks: bool,
    /// What happens to a record that cannot be processed because what comes of it exceeds a limit of a record or of
    /// a commit: with this it is left out, counted in [`TaskCounters::records_failed`] and named in
    /// [`TaskProgress::last_skipped`]; without, its task ends with [`TaskFailure::Record`]. Default: no.
    ///
    /// [`TaskCounters::records_failed`]: crate::task::TaskCounters::records_failed
    /// [`TaskProgress::last_skipped`]: super::TaskProgress::last_skipped
    /// [`TaskFailure::Record`]: super::TaskFailure::Record
    pub skip_failed: bool,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self {
            commit_interval: COMMIT_INTERVAL_DEFAULT,
            commit_size_target: COMMIT_SIZE_TARGET_DEFAULT,
            repartition_partitions: None,
            create_missing_sinks: true,
            skip_failed: false,
        }
    }
}
