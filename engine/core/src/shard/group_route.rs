//! What clients ask about groups: done here, or by the shard that the group's coordinator slot is placed on.

use super::calls::Credit;
use super::inner::{Inner, Shard};
use super::submit::{Refused, SubmitError, Submitted};
use super::{GroupReply, GroupRequest, Reply, Request};
use crate::catalog::{CatalogAnswer, CatalogError, CatalogRequest, Slot};
use crate::client::{
    CommitOffsetsError, CommittedOffset, DeleteGroupError, GroupRecord, GroupSummary, OffsetCommit,
    ReadGroupError, SetGroupRecordError,
};
use crate::io::Runtime;
use crate::model::{GroupName, PartitionId, ShardId};

/// The reply of one kind.
macro_rules! expect_reply {
    ($reply:expr, $kind:ident) => {
        match $reply {
            GroupReply::$kind(answer) => answer,
            other => unreachable!("another shard answered {other:?}"),
        }
    };
}

fn place_error<E: SubmitError>(error: &CatalogError) -> E {
    match error {
        CatalogError::NoSpace => E::no_space(),
        CatalogError::Closed => E::closed(),
        other => unreachable!("places of coordinator slots were refused: {other}"),
    }
}

impl<R: Runtime> Shard<R> {
    fn slot(&self, group: &GroupName) -> Option<Slot> {
        self.inner.state.borrow().catalog.slot(group.slot())
    }

    /// The place of the group's coordinator slot; the slots are given places if they have none.
    pub(crate) async fn coordinator(&self, group: &GroupName) -> Result<Slot, CatalogError> {
        if let Some(slot) = self.slot(group) {
            return Ok(slot);
        }
        let answer = self.change_catalog(CatalogRequest::PlaceSlots).await?;
        debug_assert_eq!(answer, CatalogAnswer::SlotsPlaced);
        Ok(self.slot(group).expect("a change is answered when every shard has applied it"))
    }

    /// The other shard that the group lives on; `None` if that is this one.
    async fn group_elsewhere<E: SubmitError>(&self, group: &GroupName) -> Result<Option<ShardId>, E> {
        let slot = self.coordinator(group).await.map_err(|error| place_error(&error))?;
        Ok((slot.shard != self.inner.shard).then_some(slot.shard))
    }

    /// Asks another shard; `None` if either of them is closed.
    async fn ask(&self, target: ShardId, request: GroupRequest) -> Option<GroupReply> {
        match self.inner.call(target, Credit::Data, Request::Group(request)).await {
            Reply::Group(reply) => Some(reply),
            Reply::Closed => None,
            other => unreachable!("a request about a group was answered with {other:?}"),
        }
    }

    pub(crate) async fn commit_offsets(
        &self,
        group: &GroupName,
        offsets: &[OffsetCommit],
    ) -> Result<(), CommitOffsetsError> {
        let Some(target) = self.group_elsewhere::<CommitOffsetsError>(group).await? else {
            return self.inner.local_commit_offsets(group, offsets).await;
        };
        let request = GroupRequest::CommitOffsets { group: group.clone(), offsets: offsets.to_vec() };
        let reply = self.ask(target, request).await.ok_or(CommitOffsetsError::Closed)?;
        expect_reply!(reply, CommitOffsets)
    }

    pub(crate) async fn set_group_record(
        &self,
        group: &GroupName,
        expected: u64,
        active: bool,
        bytes: &[u8],
    ) -> Result<u64, SetGroupRecordError> {
        let Some(target) = self.group_elsewhere::<SetGroupRecordError>(group).await? else {
            return self.inner.local_set_record(group, expected, active, bytes).await;
        };
        let (group, bytes) = (group.clone(), bytes.to_vec());
        let request = GroupRequest::SetRecord { group, expected, active, bytes };
        let reply = self.ask(target, request).await.ok_or(SetGroupRecordError::Closed)?;
        expect_reply!(reply, SetRecord)
    }

    pub(crate) async fn delete_group(&self, group: &GroupName) -> Result<(), DeleteGroupError> {
        // Without places there is no group.
        let Some(slot) = self.slot(group) else {
            return Err(DeleteGroupError::Unknown { group: group.clone() });
        };
        if slot.shard == self.inner.shard {
            return self.inner.local_delete_group(group).await;
        }
        let request = GroupRequest::Delete { group: group.clone() };
        let reply = self.ask(slot.shard, request).await.ok_or(DeleteGroupError::Closed)?;
        expect_reply!(reply, Delete)
    }

    pub(crate) async fn delete_offsets(
        &self,
        group: &GroupName,
        partitions: &[PartitionId],
    ) -> Result<(), DeleteGroupError> {
        let Some(slot) = self.slot(group) else {
            return Err(DeleteGroupError::Unknown { group: group.clone() });
        };
        if slot.shard == self.inner.shard {
            return self.inner.local_delete_offsets(group, partitions).await;
        }
        let request = GroupRequest::DeleteOffsets { group: group.clone(), partitions: partitions.to_vec() };
        let reply = self.ask(slot.shard, request).await.ok_or(DeleteGroupError::Closed)?;
        expect_reply!(reply, DeleteOffsets)
    }

    pub(crate) async fn committed_offsets(
        &self,
        group: &GroupName,
        partitions: Option<&[PartitionId]>,
    ) -> Result<Vec<CommittedOffset>, ReadGroupError> {
        let Some(slot) = self.slot(group) else { return self.not_closed(Vec::new()) };
        if slot.shard == self.inner.shard {
            return self.not_closed(self.inner.local_committed_offsets(group, partitions));
        }
        let partitions = partitions.map(<[PartitionId]>::to_vec);
        let request = GroupRequest::CommittedOffsets { group: group.clone(), partitions };
        let reply = self.ask(slot.shard, request).await.ok_or(ReadGroupError::Closed)?;
        Ok(expect_reply!(reply, CommittedOffsets))
    }

    pub(crate) async fn group_record(
        &self,
        group: &GroupName,
    ) -> Result<Option<GroupRecord>, ReadGroupError> {
        let Some(slot) = self.slot(group) else { return self.not_closed(None) };
        if slot.shard == self.inner.shard {
            return self.not_closed(self.inner.local_record(group));
        }
        let request = GroupRequest::Record { group: group.clone() };
        let reply = self.ask(slot.shard, request).await.ok_or(ReadGroupError::Closed)?;
        Ok(expect_reply!(reply, Record))
    }

    pub(crate) async fn groups(&self) -> Result<Vec<GroupSummary>, ReadGroupError> {
        let shards: Vec<ShardId> = self.inner.state.borrow().catalog.coordinators().collect();
        let mut groups = self.not_closed(Vec::new())?;
        for shard in shards {
            if shard == self.inner.shard {
                groups.extend(self.inner.state.borrow().groups.summaries());
                continue;
            }
            let reply = self.ask(shard, GroupRequest::List).await.ok_or(ReadGroupError::Closed)?;
            groups.extend(expect_reply!(reply, List));
        }
        groups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    fn not_closed<T>(&self, answer: T) -> Result<T, ReadGroupError> {
        if self.inner.closing.get() { Err(ReadGroupError::Closed) } else { Ok(answer) }
    }

    /// Answers another shard.
    pub(super) fn serve_group(&self, from: ShardId, token: u64, request: GroupRequest) {
        let inner = &self.inner;
        let reply = match request {
            GroupRequest::CommitOffsets { group, offsets } => {
                let last = offsets.iter().map(|commit| commit.partition).max();
                let unknown = last.filter(|partition| !inner.knows(*partition));
                let attempt = move |inner: &Inner<R>| inner.submit_offsets(&group, &offsets);
                return self.serve_submission(from, token, unknown, attempt, GroupReply::CommitOffsets);
            }
            GroupRequest::SetRecord { group, expected, active, bytes } => {
                let attempt = move |inner: &Inner<R>| inner.submit_record(&group, expected, active, &bytes);
                let reply = |answer: Result<_, _>| GroupReply::SetRecord(answer.and_then(|answer| answer));
                return self.serve_submission(from, token, None, attempt, reply);
            }
            GroupRequest::Delete { group } => {
                let attempt = move |inner: &Inner<R>| inner.submit_group_deletion(&group);
                let reply = |answer: Result<_, _>| GroupReply::Delete(answer.and_then(|answer| answer));
                return self.serve_submission(from, token, None, attempt, reply);
            }
            GroupRequest::DeleteOffsets { group, partitions } => {
                return self.answer(from, token, async move |shard| {
                    let answer = shard.inner.local_delete_offsets(&group, &partitions).await;
                    Reply::Group(GroupReply::DeleteOffsets(answer))
                });
            }
            GroupRequest::CommittedOffsets { group, partitions } => {
                let offsets = inner.local_committed_offsets(&group, partitions.as_deref());
                GroupReply::CommittedOffsets(offsets)
            }
            GroupRequest::Record { group } => GroupReply::Record(inner.local_record(&group)),
            GroupRequest::List => GroupReply::List(inner.state.borrow().groups.summaries()),
        };
        inner.send_reply(from, token, Reply::Group(reply));
    }

    /// Submits at once where nothing waits, so that what one shard asks for in an order is done in that order; answers when
    /// the frame is committed. `unknown`: a partition that this shard has not heard of yet.
    fn serve_submission<T, E>(
        &self,
        from: ShardId,
        token: u64,
        unknown: Option<PartitionId>,
        mut attempt: impl FnMut(&Inner<R>) -> Result<Submitted<T>, Refused<E>> + 'static,
        reply: impl FnOnce(Result<T, E>) -> GroupReply + 'static,
    ) where
        T: 'static,
        E: SubmitError + 'static,
    {
        let inner = &self.inner;
        let waits = !inner.busy.is_empty() || unknown.is_some();
        match if waits { Err(Refused::Busy) } else { attempt(inner) } {
            Ok((sequence, done)) => self.reply_at(sequence, from, token, Reply::Group(reply(Ok(done)))),
            Err(Refused::Error(error)) => inner.send_reply(from, token, Reply::Group(reply(Err(error)))),
            Err(Refused::Busy) => {
                let turn = inner.busy.enter();
                self.answer(from, token, async move |shard| {
                    if let Some(partition) = unknown {
                        shard.inner.learn_of(partition).await;
                    }
                    let submitted = match shard.inner.submit_at(turn, attempt).await {
                        Ok((sequence, done)) => shard.inner.committed(sequence).await.map(|()| done),
                        Err(error) => Err(error),
                    };
                    Reply::Group(reply(submitted))
                });
            }
        }
    }
}
