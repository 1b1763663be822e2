//! What clients say and hear of groups.

use std::time::Duration;

use crate::model::{GroupName, Offset, PartitionId};

/// An offset to commit.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OffsetCommit {
    /// The partition.
    pub partition: PartitionId,
    /// The offset that the group goes on with; any number, whatever the partition holds.
    pub offset: Offset,
    /// Epoch of the partition's leader when the record before it was read, if the consumer knows it; below 2³¹.
    pub leader_epoch: Option<u32>,
    /// What the consumer wants to find with it; at most [`OFFSET_METADATA_SIZE_MAX`](crate::limits::OFFSET_METADATA_SIZE_MAX)
    /// bytes.
    pub metadata: String,
    /// How long it is kept from now on while the group has no members; `None`: for as long as the shard keeps offsets.
    pub keep: Option<Duration>,
}

/// An offset that a group has committed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommittedOffset {
    /// The partition.
    pub partition: PartitionId,
    /// The offset that the group goes on with.
    pub offset: Offset,
    /// As it was committed.
    pub leader_epoch: Option<u32>,
    /// As it was committed.
    pub metadata: String,
}

/// What a coordinator keeps of a group; the engine does not look into it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupRecord {
    /// Changes with every change of the record, and is never used again: not 0, and larger than all before it on its shard.
    pub version: u64,
    /// The group has members: nothing of it expires.
    pub active: bool,
    /// The record itself.
    pub bytes: Vec<u8>,
}

/// A group in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupSummary {
    /// Its name.
    pub name: GroupName,
    /// It has members, as its record says.
    pub active: bool,
    /// Number of its committed offsets.
    pub offsets: u64,
    /// Version of its record; 0 without one.
    pub version: u64,
}
