//! Topics as the catalog knows them.

use crate::model::{PartitionId, ShardId, TopicId, TopicName};

/// Which decision about a partition's place is the newer one. 0 at its creation.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct PlacementEpoch(pub u32);

/// One partition of a topic, and the shard-log that holds it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Partition {
    /// Its number, unique in the data folder.
    pub id: PartitionId,
    /// The shard-log that holds it.
    pub shard: ShardId,
    /// Which decision put it there.
    pub epoch: PlacementEpoch,
}

/// How a topic behaves.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct TopicSettings {
    /// Made by Thalweg for its own use (repartitioning); not shown to users unless they ask.
    pub internal: bool,
}

/// A topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Topic {
    /// Its number, unique in the data folder.
    pub id: TopicId,
    /// Its name, unique among the topics that exist.
    pub name: TopicName,
    /// Its partitions, in order; 1 to [`TOPIC_PARTITIONS_MAX`](crate::limits::TOPIC_PARTITIONS_MAX).
    pub partitions: Vec<Partition>,
    /// How it behaves.
    pub settings: TopicSettings,
}
