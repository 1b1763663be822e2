//! Changes of the catalog: what is asked, what is decided, what is answered.

use super::{Partition, Slot, Topic, TopicSettings};
use crate::model::{ProducerId, TopicId, TopicName};

/// Number of changes since the data folder was made.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct CatalogVersion(pub u64);

/// Producer ids that one shard may give out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ProducerIdBlock {
    /// The first id.
    pub first: ProducerId,
    /// How many, counted from it.
    pub count: u32,
}

/// What is asked of the catalog's writer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CatalogRequest {
    /// Make a topic.
    CreateTopic {
        /// Its name.
        name: TopicName,
        /// Number of its partitions.
        partitions: u32,
        /// How it behaves.
        settings: TopicSettings,
    },
    /// Delete a topic and its records.
    DeleteTopic {
        /// Its name.
        name: TopicName,
    },
    /// Give a topic more partitions.
    AddPartitions {
        /// Its name.
        name: TopicName,
        /// Number of partitions that it has afterwards.
        total: u32,
    },
    /// Give a topic other settings.
    AlterTopic {
        /// Its name.
        name: TopicName,
        /// All its settings from now on, but for [`TopicSettings::internal`], which stays what it is.
        settings: TopicSettings,
    },
    /// Set producer ids aside for the asking shard.
    ProducerIds,
    /// Give the coordinator slots their places, unless they have them.
    PlaceSlots,
}

/// What the catalog's writer answers, once every shard has applied the change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CatalogAnswer {
    /// The topic as it is after the change; as it was, for a deletion.
    Topic(Topic),
    /// The ids set aside.
    ProducerIds(ProducerIdBlock),
    /// The coordinator slots have places.
    SlotsPlaced,
}

/// One decided change: its effect, with every identifier in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CatalogChange {
    /// The catalog's version after the change.
    pub version: CatalogVersion,
    /// What changes.
    pub change: Change,
}

/// What one change changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A topic was made.
    TopicCreated(Topic),
    /// A topic was deleted.
    TopicDeleted {
        /// The topic.
        topic: TopicId,
    },
    /// A topic was given more partitions.
    PartitionsAdded {
        /// The topic.
        topic: TopicId,
        /// The new ones, which follow those it has.
        partitions: Vec<Partition>,
    },
    /// Producer ids were set aside.
    ProducerIds(ProducerIdBlock),
    /// A topic was given other settings.
    SettingsChanged {
        /// The topic.
        topic: TopicId,
        /// All its settings.
        settings: TopicSettings,
    },
    /// Every coordinator slot was given its place: all [`COORDINATOR_SLOTS`](crate::limits::COORDINATOR_SLOTS), in order.
    SlotsPlaced(Vec<Slot>),
}
