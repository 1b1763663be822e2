//! Why the catalog says no.

use thalweg_archive::ArchiveError;

use crate::model::TopicName;

/// Why a change of the catalog was refused. Nothing was changed, except where [`CatalogError::Closed`] says
/// otherwise.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CatalogError {
    /// A topic of this name exists.
    #[error("topic {name} exists")]
    Exists {
        /// The name.
        name: TopicName,
    },
    /// No topic has this name.
    #[error("topic {name} does not exist")]
    Unknown {
        /// The name.
        name: TopicName,
    },
    /// A topic cannot have this number of partitions.
    #[error("a topic of {count} partitions; allowed are 1 to {limit}")]
    PartitionCount {
        /// Partitions asked for.
        count: u32,
        /// [`TOPIC_PARTITIONS_MAX`](crate::limits::TOPIC_PARTITIONS_MAX).
        limit: u32,
    },
    /// A topic's partitions only ever become more.
    #[error("topic {name} has {current} partitions, which cannot become {count}")]
    FewerPartitions {
        /// The topic.
        name: TopicName,
        /// Partitions that it has.
        current: u32,
        /// Partitions asked for.
        count: u32,
    },
    /// The data folder would hold too many partitions.
    #[error("{count} partitions in all exceed the limit of {limit}")]
    TooManyPartitions {
        /// Partitions that there would be.
        count: u64,
        /// [`CATALOG_PARTITIONS_MAX`](crate::limits::CATALOG_PARTITIONS_MAX).
        limit: u64,
    },
    /// The device has no room for the change.
    #[error("no space left for a change of the catalog")]
    NoSpace,
    /// A shard is closed, or was closed before every shard knew the change: it may have been made.
    #[error("the engine is closed")]
    Closed,
}

/// Why bytes are not a catalog or a change of one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CatalogDecodeError {
    /// Not the archive expected.
    #[error("not an archive of the catalog")]
    Archive(#[from] ArchiveError),
    /// An archive of the right type that no catalog could have written.
    #[error("a catalog that contradicts itself: {what}")]
    Contradiction {
        /// The first contradiction.
        what: &'static str,
    },
}
