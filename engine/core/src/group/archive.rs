//! Groups on disk. Source: FORMAT.md, "Groups".

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::Kind;

/// Instead of a duration: none.
const NO_LIMIT: u64 = u64::MAX;

/// A committed offset, version 1.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OffsetRowV1 {
    pub(super) partition: u64,
    pub(super) offset: u64,
    /// -1: not known.
    pub(super) leader_epoch: i32,
    /// By when it was committed, by the log's clock. Milliseconds.
    pub(super) committed_ms: u64,
    /// How long it is kept; `u64::MAX`: as long as the shard keeps offsets. Milliseconds.
    keep_ms: u64,
    pub(super) metadata: String,
}

impl OffsetRowV1 {
    /// A row; `keep_ms` below [`NO_LIMIT`].
    pub(super) fn new(
        (partition, offset): (u64, u64),
        leader_epoch: Option<u32>,
        (committed_ms, keep_ms): (u64, Option<u64>),
        metadata: String,
    ) -> Self {
        let leader_epoch = leader_epoch.and_then(|epoch| i32::try_from(epoch).ok()).unwrap_or(-1);
        let keep_ms = keep_ms.unwrap_or(NO_LIMIT);
        Self { partition, offset, leader_epoch, committed_ms, keep_ms, metadata }
    }

    pub(super) fn leader_epoch(&self) -> Option<u32> {
        u32::try_from(self.leader_epoch).ok()
    }

    pub(super) fn keep_ms(&self) -> Option<u64> {
        (self.keep_ms != NO_LIMIT).then_some(self.keep_ms)
    }
}

/// Offsets that one group has committed, version 1: payload of an OffsetsCommitted entry.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OffsetsV1 {
    pub(super) name: String,
    pub(super) offsets: Vec<OffsetRowV1>,
}

/// The record of a group, version 1: payload of a GroupRecord entry.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupRecordV1 {
    pub(super) name: String,
    pub(super) active: bool,
    /// By when it was set, by the log's clock. Milliseconds.
    pub(super) set_ms: u64,
    pub(super) bytes: Vec<u8>,
}

/// A group's record in a checkpoint, version 1.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RecordRowV1 {
    pub(super) version: u64,
    pub(super) active: bool,
    pub(super) set_ms: u64,
    pub(super) bytes: Vec<u8>,
}

/// What a group is beside its offsets, version 1.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupHeadV1 {
    pub(super) name: String,
    pub(super) record: Option<RecordRowV1>,
}

/// A group or a part of one, version 1.
#[derive(Archive, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupRowV1 {
    pub(super) group: u64,
    /// In the first part only.
    pub(super) head: Option<GroupHeadV1>,
    pub(super) offsets: Vec<OffsetRowV1>,
}

/// Groups, version 1: slices of a checkpoint.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupsV1 {
    /// Above every number of a group and every version of a record.
    pub(super) next: u64,
    pub(super) groups: Vec<GroupRowV1>,
}

macro_rules! kinds {
    ($($name:ident = $kind:literal);*) => { $(impl Kind for $name {
        const TYPE: u16 = $kind;
        const VERSION: u16 = 1;
    })* };
}
kinds!(GroupsV1 = 40; OffsetsV1 = 41; GroupRecordV1 = 42);
