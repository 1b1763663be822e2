//! Topics as the catalog knows them.

use crate::limits::{COMPACTION_DIRTY_DEFAULT, TOMBSTONE_DELAY_MS_DEFAULT};
use crate::model::{PartitionId, ShardId, TopicId, TopicName};

/// Which decision about the place of a partition or coordinator slot is the newer one. 0 at its creation.
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

/// A coordinator slot's place: the shard-log that holds the groups whose names fall to it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Slot {
    /// The shard-log.
    pub shard: ShardId,
    /// Which decision put it there.
    pub epoch: PlacementEpoch,
}

/// How a topic behaves.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct TopicSettings {
    /// Made by Thalweg for its own use (repartitioning); not shown to users unless they ask.
    pub internal: bool,
    /// How long its records are kept.
    pub retention: Retention,
    /// Whether they go by age and size, or as later ones come.
    pub cleanup: Cleanup,
}

/// What lets records of a topic go.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum CleanupPolicy {
    /// [`Retention`].
    #[default]
    Delete,
    /// A later record of the same key. Every record needs a key; one without a value is a tombstone.
    Compact,
    /// Both.
    CompactAndDelete,
}

/// What lets records of a topic go, and when.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Cleanup {
    /// What.
    pub policy: CleanupPolicy,
    /// Milliseconds for which a tombstone stays at least once nothing else of its key is left, by the shard's own clock: a
    /// reader that takes no longer for all of a partition learns of every deletion.
    pub tombstone_delay_ms: u64,
    /// Milliseconds for which no record goes because of a later one, by the shard's own clock.
    pub lag_ms: u64,
    /// Percent of a partition's bytes that have to be new before it is compacted, 0 to 100.
    pub dirty_percent: u8,
}

impl Default for Cleanup {
    fn default() -> Self {
        Self {
            policy: CleanupPolicy::default(),
            tombstone_delay_ms: TOMBSTONE_DELAY_MS_DEFAULT,
            lag_ms: 0,
            dirty_percent: COMPACTION_DIRTY_DEFAULT,
        }
    }
}

impl Cleanup {
    /// Whether records go as later ones of their key come.
    #[must_use]
    pub fn compacts(&self) -> bool {
        self.policy != CleanupPolicy::Delete
    }

    /// Whether records go by age and size.
    #[must_use]
    pub fn deletes(&self) -> bool {
        self.policy != CleanupPolicy::Compact
    }
}

/// How long the records of a topic are kept; by default for ever. Where both limits are set, each lets go of records.
///
/// Records go from the front of a partition, in whole batches. None goes before its limit is reached; some stay longer: at
/// most an eighth of the limit, a batch, and the few seconds that pass between two looks.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Retention {
    /// Milliseconds since their append that records are kept. The shard's own clock counts them, which no step of the wall
    /// clock moves; what the records are stamped with does not matter.
    pub ms: Option<u64>,
    /// Bytes of batches, as they are stored, that are kept in each partition.
    pub bytes: Option<u64>,
}

impl Retention {
    /// Whether some records are let go.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.ms.is_some() || self.bytes.is_some()
    }
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
