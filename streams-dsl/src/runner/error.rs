//! Why a topology does not start, and why a task ends.

use thalweg_engine::client::{CatalogError, CommitError, NameStoreError, ReadError};
use thalweg_engine::model::{BatchError, Offset};

use crate::task::TaskError;

/// Why a topology was not started. No task runs.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// A reset was begun and did not end: some shards may keep what others have dropped.
    #[error("a reset of topology '{topology}' was interrupted; run it again")]
    ResetInterrupted {
        /// The topology.
        topology: String,
    },
    /// A topic that is read, or may not be made, does not exist.
    #[error("topic '{topic}' does not exist")]
    UnknownTopic {
        /// The topic.
        topic: String,
    },
    /// A topic is named as one of the topology's own, and was not made by a topology.
    #[error("topic '{topic}' is named as an internal topic of this topology, and is none; delete it")]
    NotInternal {
        /// The topic.
        topic: String,
    },
    /// A topic could not be made.
    #[error("topic '{topic}' could not be made")]
    Catalog {
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: CatalogError,
    },
    /// Topics that feed one store by key have different numbers of partitions, so that a key would have more
    /// than one place.
    #[error(
        "topics '{one}' with {one_partitions} partitions and '{other}' with {other_partitions} feed one store; \
         give them equally many"
    )]
    NotCopartitioned {
        /// The one topic.
        one: String,
        /// Its partitions.
        one_partitions: u32,
        /// The other topic.
        other: String,
        /// Its partitions.
        other_partitions: u32,
    },
    /// A store holds what steps of another kind made.
    #[error(
        "store '{store}' was made by {found}, and would be read by {wanted}; give the store another name, \
         and it begins empty at the positions that the topology has come to"
    )]
    StoreKind {
        /// The store.
        store: String,
        /// What made it.
        found: String,
        /// What would read it.
        wanted: String,
    },
    /// What made a store could not be looked up.
    #[error("store '{store}' could not be named")]
    Name {
        /// The store.
        store: String,
        /// Why.
        #[source]
        source: NameStoreError,
    },
    /// What makes a store could not be kept.
    #[error("the kind of store '{store}' could not be kept")]
    Commit {
        /// The store.
        store: String,
        /// Why.
        #[source]
        source: CommitError,
    },
}

/// Why a task ended. What it had committed stays; started again, it goes on from there.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TaskFailure {
    /// Processing failed.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Processing one record fails, whenever it is tried. What is before it is committed.
    #[error("the record at offset {offset} of partition {partition} of topic '{topic}' cannot be processed")]
    Record {
        /// The topic.
        topic: String,
        /// Number of the partition in it.
        partition: u32,
        /// The record.
        offset: Offset,
        /// Why.
        #[source]
        source: TaskError,
    },
    /// An input could not be read.
    #[error("partition {partition} of topic '{topic}' could not be read")]
    Read {
        /// The topic.
        topic: String,
        /// Number of the partition in it.
        partition: u32,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// A batch of an input is no native batch.
    #[error("partition {partition} of topic '{topic}' has no native batch at offset {offset}")]
    Batch {
        /// The topic.
        topic: String,
        /// Number of the partition in it.
        partition: u32,
        /// First offset of the batch.
        offset: Offset,
        /// What is wrong with it; nothing if it is of another encoding.
        #[source]
        source: Option<BatchError>,
    },
    /// A commit was refused.
    #[error("the commit was refused")]
    Commit(#[from] CommitError),
    /// The task or one of its stores could not be named.
    #[error("the task or a store could not be named")]
    Name(#[from] NameStoreError),
}

impl TaskFailure {
    /// Whether the task had waited for space on the device, and ended before there was any.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::Commit(CommitError::NoSpace) | Self::Name(NameStoreError::NoSpace))
    }
}
