//! The catalog on disk and on its way to other shards. Source: FORMAT.md, "Catalog".

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::{Envelope, Kind, deserialize, encode, view};

use super::{
    Catalog, CatalogChange, CatalogDecodeError, CatalogVersion, Change, Cleanup, CleanupPolicy, Partition,
    PlacementEpoch, ProducerIdBlock, Retention, Slot, Topic, TopicSettings,
};
use crate::limits::{COORDINATOR_SLOTS, SHARDS_MAX, TOPIC_PARTITIONS_MAX};
use crate::model::{PartitionId, ProducerId, ShardId, TopicId, TopicName};

/// A partition, version 1.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PartitionV1 {
    id: u64,
    shard: u16,
    epoch: u32,
}

/// A topic, version 2.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TopicV2 {
    id: u64,
    name: String,
    partitions: Vec<PartitionV1>,
    settings: SettingsV1,
}

/// How a topic behaves, version 1.
#[derive(Archive, Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SettingsV1 {
    internal: bool,
    retention_ms: u64,
    retention_bytes: u64,
}

/// A coordinator slot, version 1.
#[derive(Archive, Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SlotV1 {
    shard: u16,
    epoch: u32,
}

/// A topic, version 3.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TopicV3 {
    id: u64,
    name: String,
    partitions: Vec<PartitionV1>,
    settings: SettingsV2,
}

/// How a topic behaves, version 2.
#[derive(Archive, Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SettingsV2 {
    internal: bool,
    retention_ms: u64,
    retention_bytes: u64,
    /// 0: delete, 1: compact, 2: both.
    cleanup: u8,
    tombstone_delay_ms: u64,
    compaction_lag_ms: u64,
    dirty_percent: u8,
}

/// No limit.
const UNLIMITED: u64 = u64::MAX;

/// What a change changes, version 2.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ChangeV2 {
    /// A topic was made.
    TopicCreated(TopicV2),
    /// A topic was deleted.
    TopicDeleted(u64),
    /// A topic was given more partitions.
    PartitionsAdded(u64, Vec<PartitionV1>),
    /// Producer ids were set aside: the first, and how many.
    ProducerIds(u64, u32),
    /// A topic was given other settings.
    SettingsChanged(u64, SettingsV1),
}

/// What a change changes, version 3.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ChangeV3 {
    /// A topic was made.
    TopicCreated(TopicV2),
    /// A topic was deleted.
    TopicDeleted(u64),
    /// A topic was given more partitions.
    PartitionsAdded(u64, Vec<PartitionV1>),
    /// Producer ids were set aside: the first, and how many.
    ProducerIds(u64, u32),
    /// A topic was given other settings.
    SettingsChanged(u64, SettingsV1),
    /// All coordinator slots were given their places.
    SlotsPlaced(Vec<SlotV1>),
}

/// What a change changes, version 4.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ChangeV4 {
    /// A topic was made.
    TopicCreated(TopicV3),
    /// A topic was deleted.
    TopicDeleted(u64),
    /// A topic was given more partitions.
    PartitionsAdded(u64, Vec<PartitionV1>),
    /// Producer ids were set aside: the first, and how many.
    ProducerIds(u64, u32),
    /// A topic was given other settings.
    SettingsChanged(u64, SettingsV2),
    /// All coordinator slots were given their places.
    SlotsPlaced(Vec<SlotV1>),
}

/// One change of the catalog, version 2: read, no longer written.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CatalogChangeV2 {
    version: u64,
    change: ChangeV2,
}

/// One change of the catalog, version 3: read, no longer written.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CatalogChangeV3 {
    version: u64,
    change: ChangeV3,
}

/// One change of the catalog, version 4: payload of a frame's entry.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CatalogChangeV4 {
    version: u64,
    change: ChangeV4,
}

/// The whole catalog, version 2: read, no longer written.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CatalogV2 {
    version: u64,
    next_topic: u64,
    next_partition: u64,
    next_producer: u64,
    topics: Vec<TopicV2>,
}

/// The whole catalog, version 3: read, no longer written.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CatalogV3 {
    version: u64,
    next_topic: u64,
    next_partition: u64,
    next_producer: u64,
    topics: Vec<TopicV2>,
    /// All of them, or none as long as nobody needed one.
    slots: Vec<SlotV1>,
}

/// The whole catalog, version 4.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CatalogV4 {
    version: u64,
    next_topic: u64,
    next_partition: u64,
    next_producer: u64,
    topics: Vec<TopicV3>,
    /// All of them, or none as long as nobody needed one.
    slots: Vec<SlotV1>,
}

macro_rules! kinds {
    ($($name:ident = $kind:literal, $version:literal);*) => { $(impl Kind for $name {
        const TYPE: u16 = $kind;
        const VERSION: u16 = $version;
    })* };
}
kinds!(CatalogChangeV2 = 32, 2; CatalogChangeV3 = 32, 3; CatalogV2 = 33, 2; CatalogV3 = 33, 3;
    CatalogChangeV4 = 32, 4; CatalogV4 = 33, 4);

impl From<CatalogChangeV2> for CatalogChangeV3 {
    fn from(old: CatalogChangeV2) -> Self {
        let change = match old.change {
            ChangeV2::TopicCreated(topic) => ChangeV3::TopicCreated(topic),
            ChangeV2::TopicDeleted(topic) => ChangeV3::TopicDeleted(topic),
            ChangeV2::PartitionsAdded(topic, partitions) => ChangeV3::PartitionsAdded(topic, partitions),
            ChangeV2::ProducerIds(first, count) => ChangeV3::ProducerIds(first, count),
            ChangeV2::SettingsChanged(topic, settings) => ChangeV3::SettingsChanged(topic, settings),
        };
        Self { version: old.version, change }
    }
}

impl From<CatalogV2> for CatalogV3 {
    fn from(old: CatalogV2) -> Self {
        let CatalogV2 { version, next_topic, next_partition, next_producer, topics } = old;
        Self { version, next_topic, next_partition, next_producer, topics, slots: Vec::new() }
    }
}

impl From<&Slot> for SlotV1 {
    fn from(slot: &Slot) -> Self {
        Self { shard: slot.shard.0, epoch: slot.epoch.0 }
    }
}

impl From<&Partition> for PartitionV1 {
    fn from(partition: &Partition) -> Self {
        Self { id: partition.id.0, shard: partition.shard.0, epoch: partition.epoch.0 }
    }
}

impl From<&Topic> for TopicV3 {
    fn from(topic: &Topic) -> Self {
        Self {
            id: topic.id.0,
            name: topic.name.as_str().to_owned(),
            partitions: topic.partitions.iter().map(PartitionV1::from).collect(),
            settings: (&topic.settings).into(),
        }
    }
}

impl From<&TopicSettings> for SettingsV2 {
    fn from(settings: &TopicSettings) -> Self {
        Self {
            internal: settings.internal,
            retention_ms: settings.retention.ms.unwrap_or(UNLIMITED),
            retention_bytes: settings.retention.bytes.unwrap_or(UNLIMITED),
            cleanup: match settings.cleanup.policy {
                CleanupPolicy::Delete => 0,
                CleanupPolicy::Compact => 1,
                CleanupPolicy::CompactAndDelete => 2,
            },
            tombstone_delay_ms: settings.cleanup.tombstone_delay_ms,
            compaction_lag_ms: settings.cleanup.lag_ms,
            dirty_percent: settings.cleanup.dirty_percent,
        }
    }
}

fn settings_of(archived: SettingsV2) -> Result<TopicSettings, CatalogDecodeError> {
    let limit = |value| (value != UNLIMITED).then_some(value);
    let retention = Retention { ms: limit(archived.retention_ms), bytes: limit(archived.retention_bytes) };
    let policy = match archived.cleanup {
        0 => CleanupPolicy::Delete,
        1 => CleanupPolicy::Compact,
        2 => CleanupPolicy::CompactAndDelete,
        _ => return contradiction("what lets records of a topic go"),
    };
    let cleanup = Cleanup {
        policy,
        tombstone_delay_ms: archived.tombstone_delay_ms,
        lag_ms: archived.compaction_lag_ms,
        dirty_percent: archived.dirty_percent,
    };
    Ok(TopicSettings { internal: archived.internal, retention, cleanup })
}

impl From<SettingsV1> for SettingsV2 {
    fn from(old: SettingsV1) -> Self {
        let SettingsV1 { internal, retention_ms, retention_bytes } = old;
        let default = Self::from(&TopicSettings::default());
        Self { internal, retention_ms, retention_bytes, ..default }
    }
}

impl From<TopicV2> for TopicV3 {
    fn from(old: TopicV2) -> Self {
        let TopicV2 { id, name, partitions, settings } = old;
        Self { id, name, partitions, settings: settings.into() }
    }
}

impl From<CatalogChangeV3> for CatalogChangeV4 {
    fn from(old: CatalogChangeV3) -> Self {
        let change = match old.change {
            ChangeV3::TopicCreated(topic) => ChangeV4::TopicCreated(topic.into()),
            ChangeV3::TopicDeleted(topic) => ChangeV4::TopicDeleted(topic),
            ChangeV3::PartitionsAdded(topic, partitions) => ChangeV4::PartitionsAdded(topic, partitions),
            ChangeV3::ProducerIds(first, count) => ChangeV4::ProducerIds(first, count),
            ChangeV3::SettingsChanged(topic, settings) => ChangeV4::SettingsChanged(topic, settings.into()),
            ChangeV3::SlotsPlaced(slots) => ChangeV4::SlotsPlaced(slots),
        };
        Self { version: old.version, change }
    }
}

impl From<CatalogV3> for CatalogV4 {
    fn from(old: CatalogV3) -> Self {
        let CatalogV3 { version, next_topic, next_partition, next_producer, topics, slots } = old;
        let topics = topics.into_iter().map(TopicV3::from).collect();
        Self { version, next_topic, next_partition, next_producer, topics, slots }
    }
}

fn contradiction<T>(what: &'static str) -> Result<T, CatalogDecodeError> {
    Err(CatalogDecodeError::Contradiction { what })
}

fn partitions_of(archived: Vec<PartitionV1>) -> Result<Vec<Partition>, CatalogDecodeError> {
    if archived.is_empty() || archived.len() > TOPIC_PARTITIONS_MAX as usize {
        return contradiction("number of partitions");
    }
    if archived.iter().any(|partition| partition.shard >= SHARDS_MAX) {
        return contradiction("a partition on no shard");
    }
    let partition = |archived: PartitionV1| Partition {
        id: PartitionId(archived.id),
        shard: ShardId(archived.shard),
        epoch: PlacementEpoch(archived.epoch),
    };
    Ok(archived.into_iter().map(partition).collect())
}

fn slots_of(archived: &[SlotV1]) -> Result<Vec<Slot>, CatalogDecodeError> {
    if archived.len() != COORDINATOR_SLOTS {
        return contradiction("number of coordinator slots");
    }
    if archived.iter().any(|slot| slot.shard >= SHARDS_MAX) {
        return contradiction("a coordinator slot on no shard");
    }
    let slot =
        |archived: &SlotV1| Slot { shard: ShardId(archived.shard), epoch: PlacementEpoch(archived.epoch) };
    Ok(archived.iter().map(slot).collect())
}

fn topic_of(archived: TopicV3) -> Result<Topic, CatalogDecodeError> {
    let Ok(name) = TopicName::new(&archived.name) else { return contradiction("name of a topic") };
    Ok(Topic {
        id: TopicId(archived.id),
        name,
        partitions: partitions_of(archived.partitions)?,
        settings: settings_of(archived.settings)?,
    })
}

impl CatalogChange {
    /// Envelope and archive of the change.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let change = match &self.change {
            Change::TopicCreated(topic) => ChangeV4::TopicCreated(topic.into()),
            Change::TopicDeleted { topic } => ChangeV4::TopicDeleted(topic.0),
            Change::PartitionsAdded { topic, partitions } => {
                ChangeV4::PartitionsAdded(topic.0, partitions.iter().map(PartitionV1::from).collect())
            }
            Change::ProducerIds(block) => ChangeV4::ProducerIds(block.first.0, block.count),
            Change::SettingsChanged { topic, settings } => {
                ChangeV4::SettingsChanged(topic.0, settings.into())
            }
            Change::SlotsPlaced(slots) => ChangeV4::SlotsPlaced(slots.iter().map(SlotV1::from).collect()),
        };
        encode(&CatalogChangeV4 { version: self.version.0, change })
    }

    /// Reads what [`CatalogChange::encode`] wrote.
    ///
    /// # Errors
    /// [`CatalogDecodeError`], for any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CatalogDecodeError> {
        let archived: CatalogChangeV4 = match Envelope::read(bytes)?.version {
            CatalogChangeV2::VERSION => {
                let old = deserialize::<CatalogChangeV2>(view::<CatalogChangeV2>(bytes)?);
                CatalogChangeV3::from(old).into()
            }
            CatalogChangeV3::VERSION => {
                deserialize::<CatalogChangeV3>(view::<CatalogChangeV3>(bytes)?).into()
            }
            _ => deserialize(view::<CatalogChangeV4>(bytes)?),
        };
        let change = match archived.change {
            ChangeV4::TopicCreated(topic) => Change::TopicCreated(topic_of(topic)?),
            ChangeV4::TopicDeleted(topic) => Change::TopicDeleted { topic: TopicId(topic) },
            ChangeV4::PartitionsAdded(topic, partitions) => {
                Change::PartitionsAdded { topic: TopicId(topic), partitions: partitions_of(partitions)? }
            }
            ChangeV4::ProducerIds(first, count) => {
                Change::ProducerIds(ProducerIdBlock { first: ProducerId(first), count })
            }
            ChangeV4::SettingsChanged(topic, settings) => {
                Change::SettingsChanged { topic: TopicId(topic), settings: settings_of(settings)? }
            }
            ChangeV4::SlotsPlaced(slots) => Change::SlotsPlaced(slots_of(&slots)?),
        };
        Ok(Self { version: CatalogVersion(archived.version), change })
    }
}

impl Catalog {
    /// Envelope and archive of the whole catalog.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&CatalogV4 {
            version: self.version.0,
            next_topic: self.next_topic.0,
            next_partition: self.next_partition.0,
            next_producer: self.next_producer.0,
            topics: self.topics().map(TopicV3::from).collect(),
            slots: self.slots.iter().map(SlotV1::from).collect(),
        })
    }

    /// Reads what [`Catalog::encode`] wrote.
    ///
    /// # Errors
    /// [`CatalogDecodeError`], for any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CatalogDecodeError> {
        let archived: CatalogV4 = match Envelope::read(bytes)?.version {
            CatalogV2::VERSION => CatalogV3::from(deserialize::<CatalogV2>(view::<CatalogV2>(bytes)?)).into(),
            CatalogV3::VERSION => deserialize::<CatalogV3>(view::<CatalogV3>(bytes)?).into(),
            _ => deserialize(view::<CatalogV4>(bytes)?),
        };
        let slots = if archived.slots.is_empty() { Vec::new() } else { slots_of(&archived.slots)? };
        let mut catalog = Self {
            version: CatalogVersion(archived.version),
            next_topic: TopicId(archived.next_topic),
            next_partition: PartitionId(archived.next_partition),
            next_producer: ProducerId(archived.next_producer),
            slots,
            ..Self::default()
        };
        for topic in archived.topics {
            let topic = topic_of(topic)?;
            if topic.id >= catalog.next_topic {
                return contradiction("a topic with an id that was never given");
            }
            if topic.partitions.iter().any(|partition| partition.id >= catalog.next_partition) {
                return contradiction("a partition with an id that was never given");
            }
            if !catalog.insert(topic) {
                return contradiction("a topic or partition twice");
            }
        }
        Ok(catalog)
    }
}
