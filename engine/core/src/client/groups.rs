//! Groups, as a client sees them.

use super::{
    CommitOffsetsError, CommittedOffset, DeleteGroupError, GroupRecord, GroupSummary, OffsetCommit,
    ReadGroupError, SetGroupRecordError, ShardClient,
};
use crate::catalog::{CatalogError, Slot};
use crate::io::Runtime;
use crate::model::{GroupName, PartitionId};

/// Every operation may name any group: what lives elsewhere is asked of its shard.
impl<R: Runtime> ShardClient<R> {
    /// The place of the coordinator slot that the group falls to. The slots are given their places when the first of them is
    /// asked for, here or by a commit; they are a change of the catalog.
    ///
    /// # Errors
    /// [`CatalogError::NoSpace`] or [`CatalogError::Closed`].
    pub async fn coordinator(&self, group: &GroupName) -> Result<Slot, CatalogError> {
        self.engine().coordinator(group).await
    }

    /// Commits offsets of a group, all of them in one frame or none; the group is made if there is none. On return they are
    /// durable. Of several offsets of one partition the last one counts.
    ///
    /// # Errors
    /// [`CommitOffsetsError`]; nothing was committed, except where `Closed` says otherwise.
    pub async fn commit_offsets(
        &self,
        group: &GroupName,
        offsets: &[OffsetCommit],
    ) -> Result<(), CommitOffsetsError> {
        self.engine().commit_offsets(group, offsets).await
    }

    /// What a group has committed for `partitions`, or for all partitions, by partition; those without a committed offset are
    /// left out. Only what is durable is told, and nothing of partitions that were deleted.
    ///
    /// # Errors
    /// [`ReadGroupError`].
    pub async fn committed_offsets(
        &self,
        group: &GroupName,
        partitions: Option<&[PartitionId]>,
    ) -> Result<Vec<CommittedOffset>, ReadGroupError> {
        self.engine().committed_offsets(group, partitions).await
    }

    /// All groups of the data folder, by name.
    ///
    /// # Errors
    /// [`ReadGroupError`].
    pub async fn groups(&self) -> Result<Vec<GroupSummary>, ReadGroupError> {
        self.engine().groups().await
    }

    /// Deletes a group with all that it has. On return that is durable. There is room for it on a full disk.
    ///
    /// # Errors
    /// [`DeleteGroupError`].
    pub async fn delete_group(&self, group: &GroupName) -> Result<(), DeleteGroupError> {
        self.engine().delete_group(group).await
    }

    /// Lets go of what a group has committed for `partitions`; where it has nothing, nothing changes. On return that is durable;
    /// more than [`FRAME_DELETIONS_MAX`](crate::limits::FRAME_DELETIONS_MAX) runs of partitions go one after the other. There
    /// is room for it on a full disk. Whether the group has members does not matter.
    ///
    /// # Errors
    /// [`DeleteGroupError`], never [`DeleteGroupError::Active`].
    pub async fn delete_offsets(
        &self,
        group: &GroupName,
        partitions: &[PartitionId],
    ) -> Result<(), DeleteGroupError> {
        self.engine().delete_offsets(group, partitions).await
    }

    /// What a coordinator keeps of a group, as it is durable.
    ///
    /// # Errors
    /// [`ReadGroupError`].
    pub async fn group_record(&self, group: &GroupName) -> Result<Option<GroupRecord>, ReadGroupError> {
        self.engine().group_record(group).await
    }

    /// Sets what a coordinator keeps of a group, if it has version `expected`, 0 being none; the group is made if there is
    /// none. On return that is durable; answers with the new version.
    ///
    /// `active`: the group has members, so that it is not deleted and nothing of it expires.
    ///
    /// # Errors
    /// [`SetGroupRecordError`].
    pub async fn set_group_record(
        &self,
        group: &GroupName,
        expected: u64,
        active: bool,
        bytes: &[u8],
    ) -> Result<u64, SetGroupRecordError> {
        self.engine().set_group_record(group, expected, active, bytes).await
    }
}
