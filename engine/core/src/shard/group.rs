//! Groups of this shard: what is decided about them, and what is told of them.

use std::rc::Rc;

use super::inner::Inner;
use super::state::ShardState;
use super::submit::{Refused, SubmitError, Submitted, plain};
use crate::client::{
    CommitOffsetsError, CommittedOffset, DeleteGroupError, GroupRecord, OffsetCommit, SetGroupRecordError,
};
use crate::group::{Ahead, Effect, Expired, Group, GroupTable};
use crate::io::Runtime;
use crate::limits::{
    FRAME_DELETIONS_MAX, GROUP_MEMORY, GROUP_OFFSETS_MAX, GROUP_RECORD_SIZE_MAX, OFFSET_METADATA_SIZE_MAX,
    SHARD_GROUPS_MAX, SHARD_GROUPS_MEMORY_MAX,
};
use crate::log::DraftEntry;
use crate::log::format::{ALL_GROUPS, EntryKind};
use crate::model::{GroupId, GroupName, PartitionId, Sequence};

/// Which limit of a shard's groups something would exceed.
enum Exceeded {
    Groups,
    Memory,
}

impl<R: Runtime> ShardState<R> {
    /// Whether partition was deleted: no group keeps an offset of it.
    fn is_partition_gone(&self, partition: PartitionId) -> bool {
        self.catalog.was_given(partition) && self.catalog.placement(partition).is_none()
    }

    /// Takes in an OffsetsCommitted entry.
    pub(super) fn apply_offsets(&mut self, id: GroupId, payload: &[u8]) {
        let catalog = &self.catalog;
        let mut gone = false;
        self.groups.committed(id, payload, |partition| {
            gone |= catalog.was_given(partition) && catalog.placement(partition).is_none();
        });
        // It was decided before this shard heard of the deletion.
        if gone && self.catalog_ready {
            self.offsets_lost = true;
            self.retaining.give();
        }
    }

    /// The group as it will be, and its number: a new one if there is none.
    fn group_ahead(&self, name: &GroupName) -> (Option<Ahead>, GroupId) {
        let ahead = self.groups_ahead.see(&self.groups, name);
        let id = ahead.map_or(GroupId(self.groups_ahead.next(&self.groups)), |ahead| ahead.id);
        (ahead, id)
    }

    /// Whether the shard's groups may take `memory` bytes more, and one be made if `new`.
    fn check_groups(&self, new: bool, memory: usize) -> Result<(), Exceeded> {
        let ahead = &self.groups_ahead;
        if new && self.groups.len() + ahead.new_groups(&self.groups) >= SHARD_GROUPS_MAX {
            return Err(Exceeded::Groups);
        }
        let taken = self.groups.memory() + ahead.memory() + memory;
        if taken > SHARD_GROUPS_MEMORY_MAX { Err(Exceeded::Memory) } else { Ok(()) }
    }

    fn decided_group(&mut self, sequence: Sequence, effect: Effect) {
        self.groups_ahead.decided(&self.groups, sequence, effect);
    }

    /// Entries that let go of the committed offsets of partitions that were deleted; as many as go into one frame.
    fn lost_offsets(&mut self) -> Vec<DraftEntry<'static>> {
        if !std::mem::take(&mut self.offsets_lost) {
            return Vec::new();
        }
        let lost = self.groups.partitions().filter(|partition| self.is_partition_gone(*partition));
        let drafts: Vec<_> =
            runs(lost).take(FRAME_DELETIONS_MAX).map(|run| run_draft(ALL_GROUPS, run)).collect();
        self.offsets_lost = drafts.len() == FRAME_DELETIONS_MAX;
        drafts
    }
}

/// Partitions, in order, as runs of ids that follow each other: the first, and how many.
fn runs(partitions: impl Iterator<Item = PartitionId>) -> impl Iterator<Item = (PartitionId, u32)> {
    let mut partitions = partitions.peekable();
    std::iter::from_fn(move || {
        let first = partitions.next()?;
        let mut count = 1;
        while partitions.next_if(|next| next.0 == first.0 + u64::from(count)).is_some() {
            count += 1;
        }
        Some((first, count))
    })
}

fn run_draft(group: u64, (first, count): (PartitionId, u32)) -> DraftEntry<'static> {
    let mut draft = plain(EntryKind::OffsetsDeleted, group, first.0, 0);
    draft.entry.count = count;
    draft
}

impl<R: Runtime> Inner<R> {
    /// Commits offsets of a group.
    pub(super) fn submit_offsets(
        &self,
        name: &GroupName,
        commits: &[OffsetCommit],
    ) -> Result<Submitted<()>, Refused<CommitOffsetsError>> {
        if commits.is_empty() {
            return Ok((Sequence(0), ()));
        }
        let mut state = self.state.borrow_mut();
        for OffsetCommit { partition, metadata, .. } in commits {
            let (partition, size) = (*partition, metadata.len());
            if state.catalog.placement(partition).is_none() {
                return Err(CommitOffsetsError::UnknownPartition { partition }.into());
            }
            if size > OFFSET_METADATA_SIZE_MAX {
                let limit = OFFSET_METADATA_SIZE_MAX;
                return Err(CommitOffsetsError::MetadataTooLong { partition, size, limit }.into());
            }
        }
        let (ahead, id) = state.group_ahead(name);
        let exists = ahead.is_some_and(|ahead| ahead.exists);
        let group = state.groups.get(name);
        let (mut memory, offsets) = Group::growth(group, commits);
        let count = group.map_or(0, Group::len) + ahead.map_or(0, |ahead| ahead.offsets) + offsets;
        if count > GROUP_OFFSETS_MAX {
            return Err(CommitOffsetsError::TooManyOffsets { limit: GROUP_OFFSETS_MAX }.into());
        }
        memory += if exists { 0 } else { GROUP_MEMORY + name.as_str().len() };
        state.check_groups(!exists, memory).map_err(|exceeded| match exceeded {
            Exceeded::Groups => CommitOffsetsError::TooManyGroups { limit: SHARD_GROUPS_MAX },
            Exceeded::Memory => CommitOffsetsError::Memory { limit: SHARD_GROUPS_MEMORY_MAX },
        })?;
        let payload = GroupTable::commit_payload(name, commits, self.appended_ms());
        let draft = DraftEntry { payload: &payload, ..plain(EntryKind::OffsetsCommitted, id.0, 0, 0) };
        let sequence = self.append_drafts(&[draft])?;
        let effect = Effect { name: name.clone(), id, record: None, deleted: false, memory, offsets };
        state.decided_group(sequence, effect);
        Ok((sequence, ()))
    }

    /// Sets the record of a group. A refusal for its version is told once what it was judged by is committed.
    pub(super) fn submit_record(
        &self,
        name: &GroupName,
        expected: u64,
        active: bool,
        bytes: &[u8],
    ) -> Result<Submitted<Result<u64, SetGroupRecordError>>, Refused<SetGroupRecordError>> {
        let (size, limit) = (bytes.len(), GROUP_RECORD_SIZE_MAX);
        if size > limit {
            return Err(SetGroupRecordError::TooLarge { size, limit }.into());
        }
        let mut state = self.state.borrow_mut();
        let (ahead, id) = state.group_ahead(name);
        let current = ahead.map_or(0, |ahead| ahead.version);
        if current != expected {
            let last = ahead.map_or(Sequence(0), |ahead| ahead.last);
            return Ok((last, Err(SetGroupRecordError::Version { expected, current })));
        }
        let exists = ahead.is_some_and(|ahead| ahead.exists);
        let memory = size + if exists { 0 } else { GROUP_MEMORY + name.as_str().len() };
        state.check_groups(!exists, memory).map_err(|exceeded| match exceeded {
            Exceeded::Groups => SetGroupRecordError::TooManyGroups { limit: SHARD_GROUPS_MAX },
            Exceeded::Memory => SetGroupRecordError::Memory { limit: SHARD_GROUPS_MEMORY_MAX },
        })?;
        let version = state.groups_ahead.next(&state.groups).max(id.0 + 1);
        let payload = GroupTable::record_payload(name, active, bytes, self.appended_ms());
        let draft = DraftEntry { payload: &payload, ..plain(EntryKind::GroupRecord, id.0, version, 0) };
        let sequence = self.append_drafts(&[draft])?;
        let record = Some((version, active));
        let effect = Effect { name: name.clone(), id, record, deleted: false, memory, offsets: 0 };
        state.decided_group(sequence, effect);
        Ok((sequence, Ok(version)))
    }

    /// Deletes a group. A refusal is told once what it was judged by is committed.
    pub(super) fn submit_group_deletion(
        &self,
        name: &GroupName,
    ) -> Result<Submitted<Result<(), DeleteGroupError>>, Refused<DeleteGroupError>> {
        let mut state = self.state.borrow_mut();
        let group = name.clone();
        let Some(ahead) = state.groups_ahead.see(&state.groups, name) else {
            return Ok((Sequence(0), Err(DeleteGroupError::Unknown { group })));
        };
        if !ahead.exists {
            return Ok((ahead.last, Err(DeleteGroupError::Unknown { group })));
        }
        if ahead.active {
            return Ok((ahead.last, Err(DeleteGroupError::Active { group })));
        }
        let sequence = self.append_drafts(&[plain(EntryKind::GroupDeleted, ahead.id.0, 0, 0)])?;
        let effect = Effect { name: group, id: ahead.id, record: None, deleted: true, memory: 0, offsets: 0 };
        state.decided_group(sequence, effect);
        Ok((sequence, Ok(())))
    }

    pub(super) async fn local_commit_offsets(
        self: &Rc<Self>,
        name: &GroupName,
        commits: &[OffsetCommit],
    ) -> Result<(), CommitOffsetsError> {
        let last = commits.iter().map(|commit| commit.partition).max();
        if let Some(partition) = last.filter(|partition| !self.knows(*partition)) {
            self.learn_of(partition).await;
        }
        let (sequence, ()) = self.submit(|inner| inner.submit_offsets(name, commits)).await?;
        self.committed(sequence).await
    }

    pub(super) async fn local_set_record(
        &self,
        name: &GroupName,
        expected: u64,
        active: bool,
        bytes: &[u8],
    ) -> Result<u64, SetGroupRecordError> {
        let submitted = self.submit(|inner| inner.submit_record(name, expected, active, bytes));
        let (sequence, answer) = submitted.await?;
        self.committed::<SetGroupRecordError>(sequence).await?;
        answer
    }

    pub(super) async fn local_delete_group(&self, name: &GroupName) -> Result<(), DeleteGroupError> {
        let (sequence, answer) = self.submit(|inner| inner.submit_group_deletion(name)).await?;
        self.committed::<DeleteGroupError>(sequence).await?;
        answer
    }

    pub(super) async fn local_delete_offsets(
        &self,
        name: &GroupName,
        partitions: &[PartitionId],
    ) -> Result<(), DeleteGroupError> {
        let mut partitions = partitions.to_vec();
        partitions.sort_unstable();
        partitions.dedup();
        let runs: Vec<_> = runs(partitions.into_iter()).collect();
        let mut last = Sequence(0);
        for part in runs.chunks(FRAME_DELETIONS_MAX) {
            let (sequence, known) = self.submit(|inner| inner.submit_offsets_deletion(name, part)).await?;
            last = sequence;
            if !known {
                break;
            }
        }
        self.committed(last).await
    }

    /// Lets go of committed offsets; whether there is such a group.
    fn submit_offsets_deletion(
        &self,
        name: &GroupName,
        runs: &[(PartitionId, u32)],
    ) -> Result<Submitted<bool>, Refused<DeleteGroupError>> {
        let state = self.state.borrow();
        let Some(ahead) = state.groups_ahead.see(&state.groups, name) else {
            return Err(DeleteGroupError::Unknown { group: name.clone() }.into());
        };
        if !ahead.exists {
            return Ok((ahead.last, false));
        }
        let drafts: Vec<_> = runs.iter().map(|run| run_draft(ahead.id.0, *run)).collect();
        Ok((self.append_drafts(&drafts)?, true))
    }

    /// What a group has committed; nothing of partitions that were deleted.
    pub(super) fn local_committed_offsets(
        &self,
        name: &GroupName,
        partitions: Option<&[PartitionId]>,
    ) -> Vec<CommittedOffset> {
        let state = self.state.borrow();
        let Some(group) = state.groups.get(name) else { return Vec::new() };
        let tell =
            |partition: PartitionId| group.offset(partition).filter(|_| !state.is_partition_gone(partition));
        match partitions {
            Some(partitions) => {
                let mut partitions = partitions.to_vec();
                partitions.sort_unstable();
                partitions.dedup();
                partitions.into_iter().filter_map(tell).collect()
            }
            None => group.partitions().filter_map(tell).collect(),
        }
    }

    pub(super) fn local_record(&self, name: &GroupName) -> Option<GroupRecord> {
        self.state.borrow().groups.get(name)?.record()
    }

    /// Lets go of what groups have no more use for: offsets of partitions that were deleted, and what has expired.
    pub(super) async fn let_go_of_offsets(&self) -> Result<(), DeleteGroupError> {
        loop {
            let drafts = self.state.borrow_mut().lost_offsets();
            if drafts.is_empty() {
                break;
            }
            let submitted = self.submit::<_, DeleteGroupError>(|inner| inner.submit_plain(&drafts)).await;
            // What is not in a frame is looked for again.
            let (sequence, ()) = submitted.inspect_err(|_| self.state.borrow_mut().offsets_lost = true)?;
            self.committed::<DeleteGroupError>(sequence).await?;
            self.runtime.mark("offsets-of-deleted");
        }
        let count = self.submit(Self::submit_expired).await?.1;
        if count > 0 {
            self.runtime.mark("offsets-expired");
        }
        Ok(())
    }

    /// Lets go of what has expired, as far as one look finds it; with its number.
    fn submit_expired(&self) -> Result<Submitted<usize>, Refused<DeleteGroupError>> {
        let now_ms = self.clock.borrow().reading().log_ms;
        let retention_ms = u64::try_from(self.offsets_retention.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let mut cursor = state.expiry;
        let times = (retention_ms, now_ms);
        let found = state.groups.expired(&mut cursor, times, |name| state.groups_ahead.is_changing(name));
        let mut last = Sequence(0);
        for part in found.chunks(FRAME_DELETIONS_MAX) {
            let draft = |expired: &Expired| match expired {
                Expired::Group(id) => plain(EntryKind::GroupDeleted, id.0, 0, 0),
                Expired::Offset(id, partition) => run_draft(id.0, (*partition, 1)),
            };
            let drafts: Vec<_> = part.iter().map(draft).collect();
            last = self.append_drafts(&drafts)?;
        }
        state.expiry = cursor;
        Ok((last, found.len()))
    }
}

impl SubmitError for CommitOffsetsError {
    fn too_large(size: usize, limit: usize) -> Self {
        Self::TooLarge { size, limit }
    }
    fn no_space() -> Self {
        Self::NoSpace
    }
    fn closed() -> Self {
        Self::Closed
    }
}

impl SubmitError for SetGroupRecordError {
    fn too_large(size: usize, limit: usize) -> Self {
        Self::TooLarge { size, limit }
    }
    fn no_space() -> Self {
        Self::NoSpace
    }
    fn closed() -> Self {
        Self::Closed
    }
}
