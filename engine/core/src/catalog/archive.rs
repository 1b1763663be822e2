//! The catalog on disk and on its way to other shards. Source: FORMAT.md, "Catalog".

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::{Kind, deserialize, encode, view};

use super::{
    Catalog, CatalogChange, CatalogDecodeError, CatalogVersion, Change, Partition, PlacementEpoch,
    ProducerIdBlock, Retention, Topic, TopicSettings,
};
use crate::limits::{SHARDS_MAX, TOPIC_PARTITIONS_MAX};
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

/// One change of the catalog, version 2: payload of a frame's entry.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CatalogChangeV2 {
    version: u64,
    change: ChangeV2,
}

impl Kind for CatalogChangeV2 {
    const TYPE: u16 = 32;
    const VERSION: u16 = 2;
}

/// The whole catalog, version 2.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CatalogV2 {
    version: u64,
    next_topic: u64,
    next_partition: u64,
    next_producer: u64,
    topics: Vec<TopicV2>,
}

impl Kind for CatalogV2 {
    const TYPE: u16 = 33;
    const VERSION: u16 = 2;
}

impl From<&Partition> for PartitionV1 {
    fn from(partition: &Partition) -> Self {
        Self { id: partition.id.0, shard: partition.shard.0, epoch: partition.epoch.0 }
    }
}

impl From<&Topic> for TopicV2 {
    fn from(topic: &Topic) -> Self {
        Self {
            id: topic.id.0,
            name: topic.name.as_str().to_owned(),
            partitions: topic.partitions.iter().map(PartitionV1::from).collect(),
            settings: (&topic.settings).into(),
        }
    }
}

impl From<&TopicSettings> for SettingsV1 {
    fn from(settings: &TopicSettings) -> Self {
        Self {
            internal: settings.internal,
            retention_ms: settings.retention.ms.unwrap_or(UNLIMITED),
            retention_bytes: settings.retention.bytes.unwrap_or(UNLIMITED),
        }
    }
}

fn settings_of(archived: SettingsV1) -> TopicSettings {
    let limit = |value| (value != UNLIMITED).then_some(value);
    let retention = Retention { ms: limit(archived.retention_ms), bytes: limit(archived.retention_bytes) };
    TopicSettings { internal: archived.internal, retention }
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

fn topic_of(archived: TopicV2) -> Result<Topic, CatalogDecodeError> {
    let Ok(name) = TopicName::new(&archived.name) else { return contradiction("name of a topic") };
    Ok(Topic {
        id: TopicId(archived.id),
        name,
        partitions: partitions_of(archived.partitions)?,
        settings: settings_of(archived.settings),
    })
}

impl CatalogChange {
    /// Envelope and archive of the change.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let change = match &self.change {
            Change::TopicCreated(topic) => ChangeV2::TopicCreated(topic.into()),
            Change::TopicDeleted { topic } => ChangeV2::TopicDeleted(topic.0),
            Change::PartitionsAdded { topic, partitions } => {
                ChangeV2::PartitionsAdded(topic.0, partitions.iter().map(PartitionV1::from).collect())
            }
            Change::ProducerIds(block) => ChangeV2::ProducerIds(block.first.0, block.count),
            Change::SettingsChanged { topic, settings } => {
                ChangeV2::SettingsChanged(topic.0, settings.into())
            }
        };
        encode(&CatalogChangeV2 { version: self.version.0, change })
    }

    /// Reads what [`CatalogChange::encode`] wrote.
    ///
    /// # Errors
    /// [`CatalogDecodeError`], for any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CatalogDecodeError> {
        let archived: CatalogChangeV2 = deserialize(view::<CatalogChangeV2>(bytes)?);
        let change = match archived.change {
            ChangeV2::TopicCreated(topic) => Change::TopicCreated(topic_of(topic)?),
            ChangeV2::TopicDeleted(topic) => Change::TopicDeleted { topic: TopicId(topic) },
            ChangeV2::PartitionsAdded(topic, partitions) => {
                Change::PartitionsAdded { topic: TopicId(topic), partitions: partitions_of(partitions)? }
            }
            ChangeV2::ProducerIds(first, count) => {
                Change::ProducerIds(ProducerIdBlock { first: ProducerId(first), count })
            }
            ChangeV2::SettingsChanged(topic, settings) => {
                Change::SettingsChanged { topic: TopicId(topic), settings: settings_of(settings) }
            }
        };
        Ok(Self { version: CatalogVersion(archived.version), change })
    }
}

impl Catalog {
    /// Envelope and archive of the whole catalog.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&CatalogV2 {
            version: self.version.0,
            next_topic: self.next_topic.0,
            next_partition: self.next_partition.0,
            next_producer: self.next_producer.0,
            topics: self.topics().map(TopicV2::from).collect(),
        })
    }

    /// Reads what [`Catalog::encode`] wrote.
    ///
    /// # Errors
    /// [`CatalogDecodeError`], for any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CatalogDecodeError> {
        let archived: CatalogV2 = deserialize(view::<CatalogV2>(bytes)?);
        let mut catalog = Self {
            version: CatalogVersion(archived.version),
            next_topic: TopicId(archived.next_topic),
            next_partition: PartitionId(archived.next_partition),
            next_producer: ProducerId(archived.next_producer),
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
