//! Why a task ends before it is told to.

use thalweg_engine::model::BatchError;

use crate::serdes::DecodeError;

/// Why a task cannot go on. What it had committed stays; started again, it goes on from there.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TaskError {
    /// A record cannot be written to a topic: it is over a limit.
    #[error("cannot write to topic '{topic}'")]
    Output {
        /// The topic.
        topic: String,
        /// The limit.
        #[source]
        source: BatchError,
    },
    /// A key's new value cannot be written to a store: it is over a limit.
    #[error("cannot write to store '{store}'")]
    StoreWrite {
        /// The store.
        store: String,
        /// The limit.
        #[source]
        source: BatchError,
    },
    /// A value in a store, or one that was on its way to it, is not of the format of the topology: the topology
    /// was changed and kept the store's name.
    #[error("store '{store}' holds a value of another format")]
    StoreFormat {
        /// The store.
        store: String,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// One input has more effects than a commit can hold.
    #[error("the effects of an input need a commit of {size} bytes; the limit is {limit}")]
    CommitTooLarge {
        /// Bytes of the effects.
        size: usize,
        /// Bytes that a commit can hold.
        limit: usize,
    },
}

impl TaskError {
    /// Whether it comes of a single record, and not of what the topology keeps.
    pub(crate) fn is_of_a_record(&self) -> bool {
        !matches!(self, Self::StoreFormat { .. })
    }

    pub(crate) fn store(store: &str, source: DecodeError) -> Self {
        Self::StoreFormat { store: store.to_owned(), source }
    }
}
