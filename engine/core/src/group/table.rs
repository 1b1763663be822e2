//! The groups of one shard, as committed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use thalweg_archive::{deserialize, encode, view};

use super::archive::{GroupHeadV1, GroupRowV1, OffsetRowV1, RecordRowV1};
use super::{CommittedOffset, GroupRecord, GroupRecordV1, GroupSummary, GroupsV1, OffsetCommit, OffsetsV1};
use crate::limits::{
    GROUP_MEMORY, GROUP_RECORD_SIZE_MAX, OFFSET_MEMORY, OFFSET_METADATA_SIZE_MAX, SLICE_SIZE_TARGET,
};
use crate::model::{GroupId, GroupName, Offset, PartitionId};

/// A committed offset, and when that was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OffsetState {
    pub(crate) offset: Offset,
    leader_epoch: Option<u32>,
    /// By the log's clock. Milliseconds.
    pub(super) committed_ms: u64,
    /// Milliseconds.
    pub(super) keep_ms: Option<u64>,
    metadata: Box<str>,
}

impl OffsetState {
    fn memory(&self) -> usize {
        OFFSET_MEMORY + self.metadata.len()
    }
}

/// A coordinator's record of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RecordState {
    pub(crate) version: u64,
    pub(crate) active: bool,
    /// By the log's clock. Milliseconds.
    pub(super) set_ms: u64,
    bytes: Vec<u8>,
}

/// One group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    name: GroupName,
    pub(crate) record: Option<RecordState>,
    pub(super) offsets: BTreeMap<PartitionId, OffsetState>,
}

impl Group {
    fn new(name: GroupName) -> Self {
        Self { name, record: None, offsets: BTreeMap::new() }
    }

    pub(crate) fn name(&self) -> &GroupName {
        &self.name
    }

    /// Whether its record says that it has members.
    pub(crate) fn is_active(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.active)
    }

    /// Number of its committed offsets.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// What it has committed for `partition`.
    pub(crate) fn offset(&self, partition: PartitionId) -> Option<CommittedOffset> {
        let state = self.offsets.get(&partition)?;
        Some(CommittedOffset {
            partition,
            offset: state.offset,
            leader_epoch: state.leader_epoch,
            metadata: state.metadata.to_string(),
        })
    }

    /// The partitions that it has committed offsets of, in order.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.offsets.keys().copied()
    }

    /// The record, for a client.
    pub(crate) fn record(&self) -> Option<GroupRecord> {
        let record = self.record.as_ref()?;
        Some(GroupRecord { version: record.version, active: record.active, bytes: record.bytes.clone() })
    }

    fn summary(&self) -> GroupSummary {
        GroupSummary {
            name: self.name.clone(),
            active: self.is_active(),
            offsets: self.offsets.len() as u64,
            version: self.record.as_ref().map_or(0, |record| record.version),
        }
    }

    fn is_empty(&self) -> bool {
        self.record.is_none() && self.offsets.is_empty()
    }

    fn own_memory(&self) -> usize {
        GROUP_MEMORY + self.name.as_str().len() + self.record.as_ref().map_or(0, |record| record.bytes.len())
    }

    pub(super) fn memory(&self) -> usize {
        self.own_memory() + self.offsets.values().map(OffsetState::memory).sum::<usize>()
    }

    /// Memory that a commit adds at most, and the number of offsets that it adds.
    pub(crate) fn growth(group: Option<&Self>, commits: &[OffsetCommit]) -> (usize, usize) {
        let (mut memory, mut count) = (0, 0);
        for commit in commits {
            let old = group.and_then(|group| group.offsets.get(&commit.partition));
            let new = OFFSET_MEMORY + commit.metadata.len();
            memory += new.saturating_sub(old.map_or(0, OffsetState::memory));
            count += usize::from(old.is_none());
        }
        (memory, count)
    }
}

/// All groups of a shard: a fold over its frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupTable {
    pub(super) groups: BTreeMap<GroupId, Group>,
    /// The same by name. Where a checkpoint holds a group that was deleted and made anew under another number, the later.
    pub(super) names: BTreeMap<GroupName, GroupId>,
    /// Which groups have committed offsets of a partition.
    by_partition: BTreeSet<(PartitionId, GroupId)>,
    /// Above every number of a group and every version of a record.
    next: u64,
    /// As estimated. Bytes.
    memory: usize,
}

/// How far the groups have gone into slices.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupsCursor {
    /// The last group of which something is in a slice, and the last of its partitions that is.
    last: Option<(GroupId, Option<PartitionId>)>,
}

impl GroupTable {
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// What the groups take, as estimated. Bytes.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// A number above every one that was given to a group or a record.
    pub(crate) fn next(&self) -> u64 {
        self.next.max(1)
    }

    pub(crate) fn id(&self, name: &GroupName) -> Option<GroupId> {
        self.names.get(name).copied()
    }

    pub(crate) fn get(&self, name: &GroupName) -> Option<&Group> {
        self.groups.get(self.names.get(name)?)
    }

    pub(super) fn groups_behind(&self, last: Option<GroupId>) -> impl Iterator<Item = (GroupId, &Group)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.groups.range((from, Bound::Unbounded)).map(|(id, group)| (*id, group))
    }

    /// All groups, by name.
    pub(crate) fn summaries(&self) -> Vec<GroupSummary> {
        self.names.values().map(|id| self.groups[id].summary()).collect()
    }

    /// The partitions that some group has committed an offset of, in order.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        let mut next = self.by_partition.first().map(|(partition, _)| *partition);
        std::iter::from_fn(move || {
            let partition = next?;
            let behind = (Bound::Excluded((partition, GroupId(u64::MAX))), Bound::Unbounded);
            next = self.by_partition.range(behind).next().map(|(partition, _)| *partition);
            Some(partition)
        })
    }

    /// Payload of the entry by which `name` commits `commits`, at `now_ms` by the log's clock.
    pub(crate) fn commit_payload(name: &GroupName, commits: &[OffsetCommit], now_ms: u64) -> Vec<u8> {
        let row = |commit: &OffsetCommit| {
            let keep_ms = commit.keep.map(|keep| u64::try_from(keep.as_millis()).unwrap_or(u64::MAX - 1));
            let metadata = commit.metadata.clone();
            let place = (commit.partition.0, commit.offset.0);
            OffsetRowV1::new(place, commit.leader_epoch, (now_ms, keep_ms), metadata)
        };
        encode(&OffsetsV1 { name: name.as_str().to_owned(), offsets: commits.iter().map(row).collect() })
    }

    /// Payload of the entry that sets a record, at `now_ms` by the log's clock.
    pub(crate) fn record_payload(name: &GroupName, active: bool, bytes: &[u8], now_ms: u64) -> Vec<u8> {
        let (name, bytes) = (name.as_str().to_owned(), bytes.to_vec());
        encode(&GroupRecordV1 { name, active, set_ms: now_ms, bytes })
    }

    /// Whether `payload` is what [`GroupTable::commit_payload`] made; if not, why.
    pub(crate) fn check_commit(payload: &[u8]) -> Result<(), String> {
        let commit = view::<OffsetsV1>(payload).map_err(|error| error.to_string())?;
        GroupName::new(commit.name.as_str()).map(drop).map_err(|error| error.to_string())
    }

    /// Whether `payload` is what [`GroupTable::record_payload`] made; if not, why.
    pub(crate) fn check_record(payload: &[u8]) -> Result<(), String> {
        let record = view::<GroupRecordV1>(payload).map_err(|error| error.to_string())?;
        GroupName::new(record.name.as_str()).map(drop).map_err(|error| error.to_string())
    }

    /// Takes in an OffsetsCommitted entry; tells `each` partition of it.
    ///
    /// # Panics
    /// If `payload` is not what [`GroupTable::commit_payload`] made.
    pub(crate) fn committed(&mut self, id: GroupId, payload: &[u8], mut each: impl FnMut(PartitionId)) {
        let commit = view::<OffsetsV1>(payload).expect("a commit that has its checksum is one of ours");
        let OffsetsV1 { name, offsets } = deserialize(commit);
        let mut group = self.entry(id, &name);
        let (mut added, mut removed) = (0, 0);
        for row in offsets {
            let partition = PartitionId(row.partition);
            each(partition);
            let state = offset_of(row);
            added += state.memory();
            if let Some(old) = group.offsets.insert(partition, state) {
                removed += old.memory();
                continue;
            }
            self.by_partition.insert((partition, id));
            group = self.groups.get_mut(&id).expect("it was just made");
        }
        self.memory = self.memory + added - removed;
    }

    /// Takes in a GroupRecord entry.
    ///
    /// # Panics
    /// If `payload` is not what [`GroupTable::record_payload`] made.
    pub(crate) fn record_set(&mut self, id: GroupId, version: u64, payload: &[u8]) {
        let record = view::<GroupRecordV1>(payload).expect("a record that has its checksum is one of ours");
        let GroupRecordV1 { name, active, set_ms, bytes } = deserialize(record);
        let group = self.entry(id, &name);
        let before = group.own_memory();
        group.record = Some(RecordState { version, active, set_ms, bytes });
        let after = group.own_memory();
        self.memory = self.memory + after - before;
        self.next = self.next.max(version + 1);
    }

    /// Takes in a GroupDeleted entry.
    pub(crate) fn deleted(&mut self, id: GroupId) {
        let Some(group) = self.groups.remove(&id) else { return };
        self.memory -= group.memory();
        for partition in group.offsets.keys() {
            self.by_partition.remove(&(*partition, id));
        }
        // Another one may have the name by now, where a checkpoint is ahead of the frames read again.
        if self.names.get(&group.name) == Some(&id) {
            self.names.remove(&group.name);
        }
    }

    /// Takes in an OffsetsDeleted entry: `count` partitions from `first` on, of one group or of all.
    pub(crate) fn offsets_deleted(&mut self, group: Option<GroupId>, first: PartitionId, count: u32) {
        let end = PartitionId(first.0.saturating_add(u64::from(count)));
        let range = (first, GroupId(0))..(end, GroupId(0));
        let in_range = self.by_partition.range(range).copied();
        let hit: Vec<_> = in_range.filter(|(_, id)| group.is_none_or(|group| group == *id)).collect();
        for (partition, id) in hit {
            self.by_partition.remove(&(partition, id));
            let state = self.groups.get_mut(&id).expect("a group of the index");
            let old = state.offsets.remove(&partition).expect("an offset of the index");
            let empty = state.is_empty();
            self.memory -= old.memory();
            if empty {
                self.deleted(id);
            }
        }
    }

    /// The group of this number, made under `name` if there is none.
    fn entry(&mut self, id: GroupId, name: &str) -> &mut Group {
        self.next = self.next.max(id.0 + 1);
        let memory = &mut self.memory;
        let names = &mut self.names;
        self.groups.entry(id).or_insert_with(|| {
            let name = GroupName::new(name).expect("a name that has its checksum is one of ours");
            let group = Group::new(name);
            *memory += group.memory();
            let known = names.entry(group.name.clone()).or_insert(id);
            *known = id.max(*known);
            group
        })
    }

    /// The next slice of a checkpoint, and where the one after it begins; `None` if there is none left.
    pub(crate) fn slice(&self, cursor: &mut GroupsCursor) -> Option<GroupsV1> {
        let mut slice = GroupsV1 { next: self.next(), groups: Vec::new() };
        let mut size = 0;
        let from = match cursor.last {
            // The rest of the one that the last slice ended with, if it is there still.
            Some((id, Some(_))) => Bound::Included(id),
            Some((id, None)) => Bound::Excluded(id),
            None => Bound::Unbounded,
        };
        for (id, group) in self.groups.range((from, Bound::Unbounded)) {
            let begun = cursor.last.and_then(|(last, partition)| partition.filter(|_| last == *id));
            let head = begun.is_none().then(|| head_of(group));
            size += if head.is_some() { group.own_memory() } else { 32 };
            let mut row = GroupRowV1 { group: id.0, head, offsets: Vec::new() };
            let behind = (begun.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
            cursor.last = Some((*id, None));
            for (partition, state) in group.offsets.range(behind) {
                size += state.memory();
                row.offsets.push(row_of(*partition, state));
                if size >= SLICE_SIZE_TARGET {
                    cursor.last = Some((*id, Some(*partition)));
                    break;
                }
            }
            slice.groups.push(row);
            if size >= SLICE_SIZE_TARGET {
                break;
            }
        }
        (!slice.groups.is_empty()).then_some(slice)
    }

    /// The slice that is written where there is no group but has been one.
    pub(crate) fn empty_slice(&self) -> Option<GroupsV1> {
        (self.next > 0).then(|| GroupsV1 { next: self.next, groups: Vec::new() })
    }

    /// Takes in a slice.
    ///
    /// # Errors
    /// What contradicts itself in it.
    pub(crate) fn restore(&mut self, slice: GroupsV1) -> Result<(), &'static str> {
        self.next = self.next.max(slice.next);
        for row in slice.groups {
            let id = GroupId(row.group);
            if row.group >= slice.next {
                return Err("a group with a number that was never given");
            }
            if let Some(head) = row.head {
                self.restore_head(id, head, slice.next)?;
            }
            let Some(group) = self.groups.get_mut(&id) else { return Err("offsets of no group") };
            for row in row.offsets {
                if row.metadata.len() > OFFSET_METADATA_SIZE_MAX {
                    return Err("the text of a committed offset");
                }
                let partition = PartitionId(row.partition);
                let state = offset_of(row);
                self.memory += state.memory();
                if group.offsets.insert(partition, state).is_some() {
                    return Err("a committed offset twice");
                }
                self.by_partition.insert((partition, id));
            }
        }
        Ok(())
    }

    fn restore_head(&mut self, id: GroupId, head: GroupHeadV1, next: u64) -> Result<(), &'static str> {
        if GroupName::new(&head.name).is_err() {
            return Err("the name of a group");
        }
        if self.groups.contains_key(&id) {
            return Err("a group twice");
        }
        let group = self.entry(id, &head.name);
        if let Some(RecordRowV1 { version, active, set_ms, bytes }) = head.record {
            if version >= next || bytes.len() > GROUP_RECORD_SIZE_MAX {
                return Err("the record of a group");
            }
            let size = bytes.len();
            group.record = Some(RecordState { version, active, set_ms, bytes });
            self.memory += size;
        }
        Ok(())
    }
}

fn head_of(group: &Group) -> GroupHeadV1 {
    let record = group.record.as_ref().map(|record| RecordRowV1 {
        version: record.version,
        active: record.active,
        set_ms: record.set_ms,
        bytes: record.bytes.clone(),
    });
    GroupHeadV1 { name: group.name.as_str().to_owned(), record }
}

fn row_of(partition: PartitionId, state: &OffsetState) -> OffsetRowV1 {
    let times = (state.committed_ms, state.keep_ms);
    OffsetRowV1::new((partition.0, state.offset.0), state.leader_epoch, times, state.metadata.to_string())
}

fn offset_of(row: OffsetRowV1) -> OffsetState {
    OffsetState {
        offset: Offset(row.offset),
        leader_epoch: row.leader_epoch(),
        committed_ms: row.committed_ms,
        keep_ms: row.keep_ms(),
        metadata: row.metadata.into_boxed_str(),
    }
}
