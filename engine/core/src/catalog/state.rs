//! The catalog itself: pure state, plans and changes.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    CatalogAnswer, CatalogChange, CatalogError, CatalogRequest, CatalogVersion, Change, Partition,
    PlacementEpoch, ProducerIdBlock, Slot, Topic, TopicSettings,
};
use crate::limits::{CATALOG_PARTITIONS_MAX, COORDINATOR_SLOTS, PRODUCER_ID_BLOCK, TOPIC_PARTITIONS_MAX};
use crate::model::{PartitionId, ProducerId, ShardId, SlotId, TopicId, TopicName};

/// What [`Catalog::apply`] did with a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Applied {
    /// Applied; the catalog has its version now.
    Done,
    /// Contained already.
    Old,
    /// A change before it is missing, or it does not fit this catalog: fetch the whole.
    Gap,
}

/// All topics of a data folder.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub(super) version: CatalogVersion,
    pub(super) next_topic: TopicId,
    pub(super) next_partition: PartitionId,
    pub(super) next_producer: ProducerId,
    pub(super) by_name: BTreeMap<TopicName, Topic>,
    pub(super) names: BTreeMap<TopicId, TopicName>,
    pub(super) placement: HashMap<PartitionId, ShardId, FixedState>,
    /// All coordinator slots, or none as long as nobody needed one.
    pub(super) slots: Vec<Slot>,
    /// Partitions of topics that are compacted.
    pub(super) compacted: BTreeSet<PartitionId>,
}

impl Catalog {
    /// Number of changes applied.
    #[must_use]
    pub fn version(&self) -> CatalogVersion {
        self.version
    }

    /// The topic of that name.
    #[must_use]
    pub fn topic(&self, name: &TopicName) -> Option<&Topic> {
        self.by_name.get(name)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    /// Where a partition lives; `None` if it does not exist.
    #[must_use]
    pub fn placement(&self, partition: PartitionId) -> Option<ShardId> {
        self.placement.get(&partition).copied()
    }

    /// The place of a coordinator slot; `None` as long as the slots have none.
    #[must_use]
    pub fn slot(&self, slot: SlotId) -> Option<Slot> {
        self.slots.get(usize::from(slot.0)).copied()
    }

    /// The shard-logs that hold coordinator slots, in order; none as long as the slots have no places.
    pub fn coordinators(&self) -> impl Iterator<Item = ShardId> {
        let mut shards: Vec<ShardId> = self.slots.iter().map(|slot| slot.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        shards.into_iter()
    }

    /// Whether records of the partition go as later ones of their key come.
    #[must_use]
    pub fn is_compacted(&self, partition: PartitionId) -> bool {
        self.compacted.contains(&partition)
    }

    /// Makes `compacted` what the settings of a topic say.
    fn learn_compacted(&mut self, name: &TopicName) {
        let topic = &self.by_name[name];
        for partition in &topic.partitions {
            if topic.settings.cleanup.compacts() {
                self.compacted.insert(partition.id);
            } else {
                self.compacted.remove(&partition.id);
            }
        }
    }

    /// Whether the partition's id has been given: if it does not exist either, it was deleted.
    #[must_use]
    pub fn was_given(&self, partition: PartitionId) -> bool {
        partition < self.next_partition
    }

    /// Decides what `request` would change, in a data folder of `shards` shard-logs. Changes nothing.
    ///
    /// Partition `i` of topic `t` is placed on shard `(t + i) mod shards`, coordinator slot `s` on shard `s mod shards`.
    ///
    /// # Errors
    /// [`CatalogError`], except for [`CatalogError::NoSpace`] and [`CatalogError::Closed`].
    /// # Panics
    /// If `shards` is zero.
    pub fn plan(&self, request: &CatalogRequest, shards: u16) -> Result<CatalogChange, CatalogError> {
        let change = match request {
            CatalogRequest::CreateTopic { name, partitions, settings } => {
                if self.by_name.contains_key(name) {
                    return Err(CatalogError::Exists { name: name.clone() });
                }
                let id = self.next_topic;
                let partitions = self.place(id, 0, *partitions, shards)?;
                Change::TopicCreated(Topic { id, name: name.clone(), partitions, settings: *settings })
            }
            CatalogRequest::DeleteTopic { name } => Change::TopicDeleted { topic: self.known(name)?.id },
            CatalogRequest::AddPartitions { name, total } => {
                let topic = self.known(name)?;
                let current = topic.partitions.len() as u32;
                if *total <= current {
                    return Err(CatalogError::FewerPartitions { name: name.clone(), current, count: *total });
                }
                let partitions = self.place(topic.id, current, *total, shards)?;
                Change::PartitionsAdded { topic: topic.id, partitions }
            }
            CatalogRequest::AlterTopic { name, settings } => {
                let topic = self.known(name)?;
                let settings = TopicSettings { internal: topic.settings.internal, ..*settings };
                Change::SettingsChanged { topic: topic.id, settings }
            }
            CatalogRequest::PlaceSlots => {
                assert!(shards > 0, "a data folder has a shard");
                let slot = |slot: usize| Slot {
                    shard: ShardId((slot % usize::from(shards)) as u16),
                    epoch: PlacementEpoch::default(),
                };
                Change::SlotsPlaced((0..COORDINATOR_SLOTS).map(slot).collect())
            }
            CatalogRequest::ProducerIds => {
                Change::ProducerIds(ProducerIdBlock { first: self.next_producer, count: PRODUCER_ID_BLOCK })
            }
        };
        Ok(CatalogChange { version: CatalogVersion(self.version.0 + 1), change })
    }

    /// What to answer once `change`, planned on this catalog and not yet applied, has been applied everywhere.
    #[must_use]
    pub fn answer(&self, change: &Change) -> CatalogAnswer {
        let known = |topic: &TopicId| self.by_name[&self.names[topic]].clone();
        match change {
            Change::TopicCreated(topic) => CatalogAnswer::Topic(topic.clone()),
            Change::TopicDeleted { topic } => CatalogAnswer::Topic(known(topic)),
            Change::PartitionsAdded { topic, partitions } => {
                let mut topic = known(topic);
                topic.partitions.extend_from_slice(partitions);
                CatalogAnswer::Topic(topic)
            }
            Change::SettingsChanged { topic, settings } => {
                CatalogAnswer::Topic(Topic { settings: *settings, ..known(topic) })
            }
            Change::ProducerIds(block) => CatalogAnswer::ProducerIds(*block),
            Change::SlotsPlaced(_) => CatalogAnswer::SlotsPlaced,
        }
    }

    /// Applies `change`, if it is the next one.
    pub fn apply(&mut self, change: &CatalogChange) -> Applied {
        if change.version <= self.version {
            return Applied::Old;
        }
        if change.version.0 != self.version.0 + 1 || !self.apply_next(&change.change) {
            return Applied::Gap;
        }
        self.version = change.version;
        Applied::Done
    }

    /// Whether the change fitted; if not, nothing was changed.
    fn apply_next(&mut self, change: &Change) -> bool {
        match change {
            Change::TopicCreated(topic) => {
                if topic.id < self.next_topic || !self.insert(topic.clone()) {
                    return false;
                }
                self.next_topic = TopicId(topic.id.0 + 1);
                self.raise_next_partition(&topic.partitions);
            }
            Change::TopicDeleted { topic } => {
                let Some(name) = self.names.remove(topic) else { return false };
                let topic = self.by_name.remove(&name).expect("every name has its topic");
                for partition in &topic.partitions {
                    self.placement.remove(&partition.id);
                    self.compacted.remove(&partition.id);
                }
            }
            Change::PartitionsAdded { topic, partitions } => {
                let Some(name) = self.names.get(topic).cloned() else { return false };
                if partitions.iter().any(|partition| partition.id < self.next_partition) {
                    return false;
                }
                let topic = self.by_name.get_mut(&name).expect("every name has its topic");
                topic.partitions.extend_from_slice(partitions);
                self.placement.extend(partitions.iter().map(|partition| (partition.id, partition.shard)));
                self.raise_next_partition(partitions);
                self.learn_compacted(&name);
            }
            Change::SettingsChanged { topic, settings } => {
                let Some(name) = self.names.get(topic).cloned() else { return false };
                self.by_name.get_mut(&name).expect("every name has its topic").settings = *settings;
                self.learn_compacted(&name);
            }
            Change::ProducerIds(block) => {
                if block.first < self.next_producer {
                    return false;
                }
                self.next_producer = ProducerId(block.first.0 + u64::from(block.count));
            }
            Change::SlotsPlaced(slots) => self.slots.clone_from(slots),
        }
        true
    }

    /// Adds a topic; `false` if its name, its id or a partition of it is there already.
    pub(super) fn insert(&mut self, topic: Topic) -> bool {
        let known = self.by_name.contains_key(&topic.name)
            || self.names.contains_key(&topic.id)
            || topic.partitions.iter().any(|partition| self.placement.contains_key(&partition.id));
        if known {
            return false;
        }
        self.placement.extend(topic.partitions.iter().map(|partition| (partition.id, partition.shard)));
        self.names.insert(topic.id, topic.name.clone());
        let name = topic.name.clone();
        self.by_name.insert(name.clone(), topic);
        self.learn_compacted(&name);
        true
    }

    fn raise_next_partition(&mut self, partitions: &[Partition]) {
        let next = partitions.iter().map(|partition| PartitionId(partition.id.0 + 1)).max();
        self.next_partition = self.next_partition.max(next.unwrap_or_default());
    }

    fn known(&self, name: &TopicName) -> Result<&Topic, CatalogError> {
        self.by_name.get(name).ok_or_else(|| CatalogError::Unknown { name: name.clone() })
    }

    /// Partitions `from..to` of `topic`, with ids and places.
    fn place(&self, topic: TopicId, from: u32, to: u32, shards: u16) -> Result<Vec<Partition>, CatalogError> {
        assert!(shards > 0, "a data folder has a shard");
        if to == 0 || to > TOPIC_PARTITIONS_MAX {
            return Err(CatalogError::PartitionCount { count: to, limit: TOPIC_PARTITIONS_MAX });
        }
        let count = self.placement.len() as u64 + u64::from(to - from);
        if count > CATALOG_PARTITIONS_MAX {
            return Err(CatalogError::TooManyPartitions { count, limit: CATALOG_PARTITIONS_MAX });
        }
        let partition = |index: u32| Partition {
            id: PartitionId(self.next_partition.0 + u64::from(index - from)),
            shard: ShardId(((topic.0 + u64::from(index)) % u64::from(shards)) as u16),
            epoch: PlacementEpoch::default(),
        };
        Ok((from..to).map(partition).collect())
    }
}
