//! The state of a shard: a fold over the committed frames of its log, and what runs ahead of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::slices::Walk;
use super::speculation::{Effect, Speculation};
use super::{MeshMessage, Reply, Waiters};
use crate::catalog::{Applied, Catalog, CatalogChange, CatalogVersion, Change, Retention};
use crate::group::{ExpiryCursor, GroupTable, GroupsAhead};
use crate::io::{Mesh, Runtime, Signal};
use crate::limits::CLOCK_INTERVAL;
use crate::log::format::{ALL_GROUPS, Entry, EntryKind};
use crate::log::{CommittedFrame, RestoreError, StateMachine};
use crate::model::{
    BatchView, GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, ProducerStamp, RecordSequence,
    Sequence, ShardId, StoreId, Timestamp, TopicId,
};
use crate::partition::PartitionState;
use crate::retention::ClockReading;
use crate::store::StoreTable;

/// Owner of a batch that nobody said to have produced.
pub(super) const NO_PRODUCER: u64 = u64::MAX;

/// The outbox for one other shard.
#[derive(Debug, Default)]
pub(super) struct OutboxState {
    /// Number of the first batch kept.
    pub(super) start: u64,
    /// Number behind the last committed batch.
    pub(super) end: u64,
    /// Number of the next batch: `end`, plus what is in flight.
    pub(super) next: u64,
    /// Up to where the target allows to trim.
    pub(super) trim_wanted: u64,
    /// A trim is on its way.
    pub(super) trimming: bool,
    /// The target's pull waits here.
    pub(super) waiters: Waiters,
}

/// The outbox of one other shard, as this shard takes it in.
#[derive(Debug, Default)]
pub(super) struct InboxState {
    /// Number of the next batch to take in, as committed.
    pub(super) position: u64,
    /// The same, plus what is in flight.
    pub(super) next: u64,
    /// Up to where the source was told to trim.
    pub(super) trimmed: u64,
    /// Somebody is about to tell it.
    pub(super) trimming: bool,
}

/// The last look for producers to forget.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProducersLooked {
    /// Silence after which they are forgotten. Milliseconds.
    silence_ms: u64,
    /// Before that, by the log's clock, none has been silent for so long.
    due_ms: u64,
}

/// A reply that leaves when its frame is committed.
#[derive(Debug)]
pub(super) struct PendingReply {
    pub(super) sequence: Sequence,
    pub(super) to: ShardId,
    pub(super) token: u64,
    pub(super) reply: Reply,
}

/// Everything that one shard knows.
#[derive(Debug)]
pub(super) struct ShardState<R: Runtime> {
    pub(super) runtime: R,
    pub(super) shard: ShardId,
    pub(super) catalog: Catalog,
    /// This copy of the catalog is that of a moment at or after this start.
    pub(super) catalog_ready: bool,
    pub(super) partitions: BTreeMap<PartitionId, PartitionState>,
    /// Partitions whose data is to be let go.
    pub(super) to_delete: Vec<PartitionId>,
    pub(super) groups: GroupTable,
    pub(super) groups_ahead: GroupsAhead,
    /// Some group may have committed an offset of a partition that was deleted.
    pub(super) offsets_lost: bool,
    /// How far the groups have been looked at for what has expired.
    pub(super) expiry: ExpiryCursor,
    /// The log's clock, as committed last.
    pub(super) clock: Option<ClockReading>,
    pub(super) producers_looked: ProducersLooked,
    /// Wakes the task that lets go of records.
    pub(super) retaining: Rc<Signal>,
    pub(super) stores: BTreeMap<StoreId, StoreTable>,
    pub(super) names: BTreeMap<String, StoreId>,
    pub(super) numbers: BTreeSet<StoreId>,
    /// Behind the highest number ever given.
    pub(super) next_name: StoreId,
    pub(super) inputs: BTreeMap<(StoreId, PartitionId), Offset>,
    pub(super) outboxes: BTreeMap<ShardId, OutboxState>,
    pub(super) inboxes: BTreeMap<ShardId, InboxState>,
    pub(super) pending: VecDeque<PendingReply>,
    pub(super) speculation: Speculation,
    pub(super) walk: Option<Walk>,
}

impl<R: Runtime> ShardState<R> {
    pub(super) fn new(runtime: R, shard: ShardId) -> Self {
        Self {
            runtime,
            shard,
            catalog: Catalog::default(),
            catalog_ready: false,
            partitions: BTreeMap::new(),
            to_delete: Vec::new(),
            groups: GroupTable::default(),
            groups_ahead: GroupsAhead::default(),
            offsets_lost: false,
            expiry: ExpiryCursor::default(),
            clock: None,
            producers_looked: ProducersLooked::default(),
            retaining: Rc::default(),
            stores: BTreeMap::new(),
            names: BTreeMap::new(),
            numbers: BTreeSet::new(),
            next_name: StoreId(1),
            inputs: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            pending: VecDeque::new(),
            speculation: Speculation::default(),
            walk: None,
        }
    }

    /// The partition, if it lives here and exists.
    pub(super) fn local(&mut self, partition: PartitionId) -> Option<&mut PartitionState> {
        self.partitions.get_mut(&partition).filter(|state| !state.deleted)
    }

    /// Makes the partitions those of the catalog: new ones begin empty, those it knows no more are marked, and
    /// wait in `to_delete`.
    pub(super) fn follow_catalog(&mut self) {
        self.catalog_ready = true;
        for topic in self.catalog.topics() {
            for partition in topic.partitions.iter().filter(|partition| partition.shard == self.shard) {
                let state = self.partitions.entry(partition.id).or_default();
                let keeps_all = topic.settings.internal || !topic.settings.cleanup.deletes();
                // What topologies made for themselves they trim themselves.
                state.retention = if keeps_all { Retention::default() } else { topic.settings.retention };
                state.cleanup = topic.settings.cleanup;
                state.look_at = 0;
            }
        }
        self.offsets_lost = true;
        self.retaining.give();
        for (id, partition) in &mut self.partitions {
            // One that was not given yet was not deleted either: the catalog is too old.
            let kept = self.catalog.placement(*id) == Some(self.shard) || !self.catalog.was_given(*id);
            if partition.deleted || kept {
                continue;
            }
            partition.deleted = true;
            partition.waiters.wake_all();
            self.to_delete.push(*id);
        }
    }

    /// The first partition that this shard holds and the catalog has not given yet.
    pub(super) fn ungiven(&self, catalog: &Catalog) -> Option<PartitionId> {
        let held = self.partitions.iter().filter(|(_, partition)| !partition.deleted);
        held.map(|(id, _)| *id).filter(|id| !catalog.was_given(*id)).min()
    }

    /// Throws away everything that runs ahead of the committed state, and derives it anew from the frames in
    /// flight.
    pub(super) fn forget_speculation(&mut self) {
        for partition in self.partitions.values_mut() {
            partition.next = partition.end;
        }
        for outbox in self.outboxes.values_mut() {
            outbox.next = outbox.end;
        }
        self.groups_ahead.rebuild(&self.groups);
        for (sequence, effect) in self.speculation.take() {
            match effect {
                Effect::Batch { partition, base, count, stamp } => {
                    self.decided_batch(sequence, partition, (base, count), stamp);
                }
                Effect::Outbox { target, number } => self.decided_outbox(sequence, target, number),
            }
        }
    }

    /// A batch went into frame `sequence`.
    pub(super) fn decided_batch(
        &mut self,
        sequence: Sequence,
        id: PartitionId,
        (base, count): (Offset, u32),
        stamp: Option<ProducerStamp>,
    ) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        debug_assert_eq!(partition.next, base);
        partition.next = Offset(base.0 + u64::from(count));
        let committed = stamp.and_then(|stamp| partition.producers.window(stamp.id));
        self.speculation.batch(sequence, id, (base, count), stamp, committed);
    }

    /// A batch for an outbox went into frame `sequence`.
    pub(super) fn decided_outbox(&mut self, sequence: Sequence, target: ShardId, number: u64) {
        let outbox = self.outboxes.entry(target).or_default();
        debug_assert_eq!(outbox.next, number);
        outbox.next = number + 1;
        self.speculation.outbox(sequence, target, number);
    }

    fn apply_entry(&mut self, entry: &Entry, frame: &CommittedFrame<'_>) {
        let kind = entry.known_kind().expect("a start refuses kinds that it does not know");
        match kind {
            EntryKind::Batch => self.apply_batch(entry, frame.is_recovering()),
            EntryKind::Clock => self.apply_clock(entry),
            EntryKind::OutboxBatch => {
                let outbox = self.outboxes.entry(ShardId(entry.owner as u16)).or_default();
                outbox.end = outbox.end.max(entry.base + 1);
                outbox.next = outbox.next.max(outbox.end);
                outbox.waiters.wake_all();
            }
            EntryKind::OutboxPosition => {
                let inbox = self.inboxes.entry(ShardId(entry.subject as u16)).or_default();
                inbox.position = inbox.position.max(entry.base);
                inbox.next = inbox.next.max(inbox.position);
            }
            EntryKind::OutboxTrim => {
                let outbox = self.outboxes.entry(ShardId(entry.subject as u16)).or_default();
                outbox.start = outbox.start.max(entry.base);
            }
            EntryKind::LogStart => {
                if let Some(partition) = self.partition(entry, frame.is_recovering()) {
                    partition.start_raised(Offset(entry.base));
                }
            }
            EntryKind::PartitionDeleted => {
                self.partitions.remove(&PartitionId(entry.subject));
            }
            EntryKind::CatalogChange => {
                let change = CatalogChange::decode(frame.payload(entry));
                let change = change.expect("a change that has its checksum is one of ours");
                self.apply_change(&change, frame.is_recovering());
            }
            EntryKind::TopicDeleted => {
                let change = Change::TopicDeleted { topic: TopicId(entry.subject) };
                let version = CatalogVersion(entry.base);
                self.apply_change(&CatalogChange { version, change }, frame.is_recovering());
            }
            EntryKind::StoreDelta => self.apply_delta(StoreId(entry.subject), frame.payload(entry)),
            EntryKind::InputPosition => {
                self.inputs.insert((StoreId(entry.owner), PartitionId(entry.subject)), Offset(entry.base));
            }
            EntryKind::StoreDropped => self.apply_drop(StoreId(entry.subject)),
            EntryKind::StoreNamed => {
                let name = String::from_utf8_lossy(frame.payload(entry)).into_owned();
                self.speculation.naming.remove(&name);
                self.insert_name(name, StoreId(entry.subject));
            }
            EntryKind::OffsetsCommitted => self.apply_offsets(GroupId(entry.subject), frame.payload(entry)),
            EntryKind::GroupRecord => {
                self.groups.record_set(GroupId(entry.subject), entry.base, frame.payload(entry));
            }
            EntryKind::GroupDeleted => self.groups.deleted(GroupId(entry.subject)),
            EntryKind::OffsetsDeleted => {
                let group = (entry.subject != ALL_GROUPS).then_some(GroupId(entry.subject));
                self.groups.offsets_deleted(group, PartitionId(entry.base), entry.count);
            }
            EntryKind::Compacted | EntryKind::CompactionMark => self.apply_compaction(entry, kind, frame),
            EntryKind::Roll
            | EntryKind::SegmentRetired
            | EntryKind::Regrouped
            | EntryKind::CompactedBatch => {}
        }
    }

    /// The partition of an entry. At a start, before the catalog is known, frames alone say what exists.
    fn partition(&mut self, entry: &Entry, recovering: bool) -> Option<&mut PartitionState> {
        let id = PartitionId(entry.subject);
        if recovering {
            return Some(self.partitions.entry(id).or_default());
        }
        self.partitions.get_mut(&id)
    }

    fn apply_batch(&mut self, entry: &Entry, recovering: bool) {
        let stamp = (entry.owner != NO_PRODUCER).then_some(ProducerStamp {
            id: ProducerId(entry.owner),
            epoch: ProducerEpoch(entry.epoch),
            sequence: RecordSequence(entry.sequence),
        });
        // By the next reading at the latest it was appended.
        let told = self.clock.map_or(0, |clock| clock.log_ms);
        let appended = told + CLOCK_INTERVAL.as_millis() as u64;
        let Some(partition) = self.partition(entry, recovering) else { return };
        assert!(recovering || entry.base == partition.end.0, "offsets are dense");
        if partition.committed(Offset(entry.base), entry.count, stamp.as_ref(), appended) {
            partition.timeline.push(partition.end, u64::from(entry.length), appended);
            partition.waiters.wake_all();
            let urgent = partition.is_look_urgent();
            if urgent {
                self.retaining.give();
            }
        }
    }

    fn apply_compaction(&mut self, entry: &Entry, kind: EntryKind, frame: &CommittedFrame<'_>) {
        let Some(partition) = self.partition(entry, frame.is_recovering()) else { return };
        let compaction = &mut partition.compaction;
        // A checkpoint may be ahead of the frames read again.
        if frame.sequence() <= compaction.applied {
            return;
        }
        compaction.applied = frame.sequence();
        match kind {
            EntryKind::CompactionMark => compaction.take_mark(entry),
            _ => {
                partition.timeline.compacted(Offset(entry.base), Offset(entry.owner), u64::from(entry.count))
            }
        }
    }

    fn apply_clock(&mut self, entry: &Entry) {
        let reading = ClockReading {
            log_ms: entry.base,
            believed: Timestamp(entry.owner as i64),
            seen: Timestamp(entry.timestamp_max),
        };
        // A checkpoint may be ahead of the frames read again.
        if self.clock.is_none_or(|clock| clock.log_ms <= reading.log_ms) {
            self.clock = Some(reading);
        }
        self.forget_producers(entry.base, entry.subject);
    }

    /// At `now_ms` by the log's clock, forgets the producers that have been silent for `silence_ms`; 0: none.
    fn forget_producers(&mut self, now_ms: u64, silence_ms: u64) {
        let unchanged = self.producers_looked.silence_ms == silence_ms;
        if silence_ms == 0 || (unchanged && now_ms < self.producers_looked.due_ms) {
            return;
        }
        // No one appended from now on is due before.
        let mut due_ms = now_ms.saturating_add(silence_ms);
        for partition in self.partitions.values_mut() {
            if let Some(until_ms) = now_ms.checked_sub(silence_ms) {
                partition.producers.forget_silent(until_ms);
            }
            if let Some(oldest) = partition.producers.oldest_ms() {
                due_ms = due_ms.min(oldest.saturating_add(silence_ms));
            }
        }
        self.producers_looked = ProducersLooked { silence_ms, due_ms };
    }

    /// By when the producer that has been silent for longest appended its newest batch.
    pub(super) fn oldest_producer_ms(&self) -> Option<u64> {
        self.partitions.values().filter_map(|partition| partition.producers.oldest_ms()).min()
    }

    fn apply_change(&mut self, change: &CatalogChange, recovering: bool) {
        let applied = self.catalog.apply(change);
        assert_ne!(applied, Applied::Gap, "the writer's own log has every change");
        if !recovering {
            self.follow_catalog();
        }
    }

    fn apply_delta(&mut self, store: StoreId, payload: &[u8]) {
        let batch = BatchView::parse_trusted(payload).expect("a batch that has its checksum is one of ours");
        let table = self.stores.entry(store).or_default();
        for record in batch {
            table.set(record.key.unwrap_or_default(), record.value);
        }
    }

    fn apply_drop(&mut self, store: StoreId) {
        self.stores.remove(&store);
        self.numbers.remove(&store);
        self.names.retain(|_, number| *number != store);
        self.inputs.retain(|(task, _), _| *task != store);
    }

    pub(super) fn insert_name(&mut self, name: String, number: StoreId) {
        self.names.insert(name, number);
        self.numbers.insert(number);
        self.next_name = self.next_name.max(StoreId(number.0 + 1));
        self.speculation.next_name = self.speculation.next_name.max(self.next_name);
    }

    /// Sends the replies that waited for frames up to `sequence`.
    fn release(&mut self, sequence: Sequence) {
        while self.pending.front().is_some_and(|pending| pending.sequence <= sequence) {
            let pending = self.pending.pop_front().expect("it was looked at");
            self.send_reply(pending.to, pending.token, pending.reply);
        }
    }

    /// Answers a request of another shard. There is room: it was reserved with the request.
    pub(super) fn send_reply(&self, to: ShardId, token: u64, reply: Reply) {
        let sent = self.runtime.mesh().try_send(to, MeshMessage::Reply { token, reply });
        assert!(sent.is_ok(), "a reply has its place in the mesh since its request had");
    }
}

/// Whether an entry that a start found is of this program's time.
fn check_entry(entry: &Entry, payload: &[u8]) -> Result<(), RestoreError> {
    let Some(kind) = entry.known_kind() else { return Err(RestoreError::UnknownEntry { kind: entry.kind }) };
    let checked = match kind {
        EntryKind::CatalogChange => CatalogChange::decode(payload).map(drop).map_err(in_words),
        EntryKind::OffsetsCommitted => GroupTable::check_commit(payload),
        EntryKind::GroupRecord => GroupTable::check_record(payload),
        EntryKind::StoreDelta => BatchView::parse_trusted(payload).map(drop).map_err(in_words),
        _ => Ok(()),
    };
    checked.map_err(|what| RestoreError::UnreadEntry { kind: entry.kind, what })
}

/// An error and its causes.
fn in_words(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

impl<R: Runtime> StateMachine for ShardState<R> {
    fn check(&self, frame: &CommittedFrame<'_>) -> Result<(), RestoreError> {
        frame.entries().iter().try_for_each(|entry| check_entry(entry, frame.payload(entry)))
    }

    fn apply(&mut self, frame: &CommittedFrame<'_>) {
        for entry in frame.entries() {
            self.apply_entry(entry, frame);
        }
        self.speculation.committed(frame.sequence());
        self.groups_ahead.committed(frame.sequence());
        if !frame.is_recovering() {
            self.release(frame.sequence());
        }
    }

    fn begin_checkpoint(&mut self) {
        self.walk = Some(Walk::default());
    }

    fn next_slice(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(mut walk) = self.walk.take() else { return false };
        let more = walk.next_slice(self, out);
        self.walk = more.then_some(walk);
        more
    }

    fn restore_slice(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        self.restore(bytes)
    }
}
