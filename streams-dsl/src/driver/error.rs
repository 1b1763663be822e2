//! What can go wrong under the test driver.

use thalweg_engine::model::BatchError;

use crate::task::TaskError;

/// Why a [`TestDriver`](super::TestDriver) refused a call.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DriverError {
    /// The topology does not read this topic.
    #[error("the topology reads no topic '{topic}'; it reads: {}", known.join(", "))]
    NotASource {
        /// The topic.
        topic: String,
        /// Topics that it reads.
        known: Vec<String>,
    },
    /// The record is over a limit.
    #[error(transparent)]
    Record(#[from] BatchError),
    /// A task failed. Only [`TestDriver::restart`](super::TestDriver::restart) goes on from here.
    #[error("task {sub}-{partition}: {source}")]
    Task {
        /// Number of its sub-topology.
        sub: usize,
        /// Its partition.
        partition: u32,
        /// Why.
        source: TaskError,
    },
}
