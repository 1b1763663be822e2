//! What shards say to each other about groups.

use crate::client::{
    CommitOffsetsError, CommittedOffset, DeleteGroupError, GroupRecord, GroupSummary, OffsetCommit,
    SetGroupRecordError,
};
use crate::model::{GroupName, PartitionId};

/// What one shard asks of another about groups of that one.
#[derive(Debug)]
pub enum GroupRequest {
    /// Commit offsets; answered when they are committed.
    CommitOffsets {
        /// The group.
        group: GroupName,
        /// Its offsets.
        offsets: Vec<OffsetCommit>,
    },
    /// Tell committed offsets.
    CommittedOffsets {
        /// The group.
        group: GroupName,
        /// Of these partitions; `None`: of all.
        partitions: Option<Vec<PartitionId>>,
    },
    /// List the groups.
    List,
    /// Delete a group; answered when that is committed.
    Delete {
        /// The group.
        group: GroupName,
    },
    /// Let go of committed offsets; answered when that is committed.
    DeleteOffsets {
        /// The group.
        group: GroupName,
        /// Of these partitions.
        partitions: Vec<PartitionId>,
    },
    /// Tell the record of a group.
    Record {
        /// The group.
        group: GroupName,
    },
    /// Set the record of a group; answered when that is committed.
    SetRecord {
        /// The group.
        group: GroupName,
        /// Version that the record has to have.
        expected: u64,
        /// The group has members.
        active: bool,
        /// The record.
        bytes: Vec<u8>,
    },
}

/// What one shard answers another; each request has its variant.
#[derive(Debug)]
pub enum GroupReply {
    /// To [`GroupRequest::CommitOffsets`].
    CommitOffsets(Result<(), CommitOffsetsError>),
    /// To [`GroupRequest::CommittedOffsets`].
    CommittedOffsets(Vec<CommittedOffset>),
    /// To [`GroupRequest::List`].
    List(Vec<GroupSummary>),
    /// To [`GroupRequest::Delete`].
    Delete(Result<(), DeleteGroupError>),
    /// To [`GroupRequest::DeleteOffsets`].
    DeleteOffsets(Result<(), DeleteGroupError>),
    /// To [`GroupRequest::Record`].
    Record(Option<GroupRecord>),
    /// To [`GroupRequest::SetRecord`]: the new version.
    SetRecord(Result<u64, SetGroupRecordError>),
}
