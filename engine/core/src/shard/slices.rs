//! The slices of a shard's checkpoint. Source: FORMAT.md, "Checkpoint slices".
//!
//! Slices are taken while frames are applied, so what one holds may be newer than the checkpoint's beginning:
//! every value is absolute, and what applying the frames again would do twice is recognised by its offset.

use std::collections::VecDeque;
use std::ops::Bound;

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::{Envelope, Kind, deserialize, encode_into, view};

use super::state::ShardState;
use crate::catalog::{Catalog, CatalogV2, CatalogV3, CatalogV4};
use crate::compaction::{CompactionMark, CompactionState};
use crate::group::{GroupsCursor, GroupsV1};
use crate::io::Runtime;
use crate::limits::{CLOCK_INTERVAL, COMPACTION_MARKS_MAX, SLICE_SIZE_TARGET, TIMELINE_MARKS_MAX};
use crate::log::RestoreError;
use crate::model::{
    Offset, PartitionId, ProducerEpoch, ProducerId, RecordSequence, Sequence, ShardId, StoreId, Timestamp,
};
use crate::partition::PartitionState;
use crate::producer::{ProducerTable, WindowRow};
use crate::retention::{ClockReading, Mark, Timeline};
use crate::store::{Cursor, StoreRowsV1};

/// Rows of one slice where rows are small and of one size.
const ROWS_MAX: usize = SLICE_SIZE_TARGET / 32;

/// Outboxes and inboxes, version 1: (shard, start, end), and (shard, position).
#[derive(Archive, Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct OutboxesV1 {
    outboxes: Vec<(u16, u64, u64)>,
    inboxes: Vec<(u16, u64)>,
}

/// Names of stores and tasks, version 1.
#[derive(Archive, Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct NamesV1 {
    next: u64,
    names: Vec<(u64, String)>,
}

/// Input positions, version 1: (task, partition, next offset).
#[derive(Archive, Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct InputsV1 {
    inputs: Vec<(u64, u64, u64)>,
}

/// A producer's window, version 1.
#[derive(Archive, Clone, Debug, Deserialize, Serialize)]
pub(super) struct WindowV1 {
    producer: u64,
    epoch: u16,
    /// First sequence, number of records, offset; oldest first.
    batches: Vec<(u32, u32, u64)>,
}

/// A producer's window, version 2.
#[derive(Archive, Clone, Debug, Deserialize, Serialize)]
pub(super) struct WindowV2 {
    producer: u64,
    epoch: u16,
    /// First sequence, number of records, offset; oldest first.
    batches: Vec<(u32, u32, u64)>,
    /// By when the newest was appended, by the log's clock. Milliseconds.
    appended_ms: u64,
}

/// A mark of a timeline: end, bytes, appended.
type MarkV1 = (u64, u64, u64);

/// A partition, version 2.
#[derive(Archive, Clone, Debug, Deserialize, Serialize)]
pub(super) struct PartitionRowV2 {
    partition: u64,
    start: u64,
    end: u64,
    producers: Vec<WindowV1>,
    begin: MarkV1,
    marks: Vec<MarkV1>,
}

/// A partition, version 3.
#[derive(Archive, Clone, Debug, Deserialize, Serialize)]
pub(super) struct PartitionRowV3 {
    partition: u64,
    start: u64,
    end: u64,
    producers: Vec<WindowV2>,
    begin: MarkV1,
    marks: Vec<MarkV1>,
}

impl PartitionRowV3 {
    /// The row of before producers had times: by `appended_ms` at the latest they appended.
    fn from_v2(old: PartitionRowV2, appended_ms: u64) -> Self {
        let PartitionRowV2 { partition, start, end, producers, begin, marks } = old;
        let window =
            |WindowV1 { producer, epoch, batches }| WindowV2 { producer, epoch, batches, appended_ms };
        let producers = producers.into_iter().map(window).collect();
        Self { partition, start, end, producers, begin, marks }
    }
}

/// The log's clock, version 1.
#[derive(Archive, Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct ClockV1 {
    log_ms: u64,
    believed: i64,
    seen: i64,
}

/// Partitions, version 2: read, no longer written.
#[derive(Archive, Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct PartitionsV2 {
    partitions: Vec<PartitionRowV2>,
}

/// Partitions, version 3.
#[derive(Archive, Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct PartitionsV3 {
    partitions: Vec<PartitionRowV3>,
}

/// What compaction knows of a partition, version 1.
#[derive(Archive, Clone, Debug, Deserialize, Serialize)]
pub(super) struct CompactionRowV1 {
    partition: u64,
    clean: u64,
    /// Last frame contained.
    applied: u64,
    /// End, time, tombstones before.
    marks: Vec<(u64, u64, u32)>,
}

/// Compacted partitions, version 1.
#[derive(Archive, Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct CompactionsV1 {
    partitions: Vec<CompactionRowV1>,
}

macro_rules! kinds {
    ($($name:ident = $kind:literal, $version:literal);*) => { $(impl Kind for $name {
        const TYPE: u16 = $kind;
        const VERSION: u16 = $version;
    })* };
}
kinds!(CompactionsV1 = 48, 1; PartitionsV2 = 35, 2; PartitionsV3 = 35, 3; OutboxesV1 = 36, 1; NamesV1 = 37, 1; InputsV1 = 38, 1; ClockV1 = 39, 1);

/// How far the slices of a checkpoint have been taken.
#[derive(Debug, Default)]
pub(super) struct Walk {
    stage: Stage,
    name: Option<String>,
    input: Option<(StoreId, PartitionId)>,
    group: Option<GroupsCursor>,
    partition: Option<PartitionId>,
    store: Option<(StoreId, Cursor)>,
    /// Slices encoded and not yet handed out.
    ready: VecDeque<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Catalog,
    Clock,
    Outboxes,
    Names,
    Inputs,
    Groups,
    Partitions,
    Stores,
    Done,
}

fn after<T: Clone + Ord>(last: Option<&T>) -> (Bound<T>, Bound<T>) {
    (last.map_or(Bound::Unbounded, |last| Bound::Excluded(last.clone())), Bound::Unbounded)
}

impl Walk {
    /// Appends the next slice to `out`; `false` if there was none left.
    pub(super) fn next_slice<R: Runtime>(&mut self, state: &ShardState<R>, out: &mut Vec<u8>) -> bool {
        loop {
            if let Some(slice) = self.ready.pop_front() {
                out.extend_from_slice(&slice);
                return true;
            }
            let size = out.len();
            match self.stage {
                Stage::Catalog => self.catalog(state, out),
                Stage::Clock => self.clock(state, out),
                Stage::Outboxes => self.outboxes(state, out),
                Stage::Names => self.names(state, out),
                Stage::Inputs => self.inputs(state, out),
                Stage::Groups => self.groups(state, out),
                Stage::Partitions => self.partitions(state, out),
                Stage::Stores => self.stores(state),
                Stage::Done => return false,
            }
            if out.len() > size {
                return true;
            }
        }
    }

    fn catalog<R: Runtime>(&mut self, state: &ShardState<R>, out: &mut Vec<u8>) {
        self.stage = Stage::Clock;
        // The others ask the writer for its copy at every start.
        if state.shard == ShardId(0) {
            out.extend_from_slice(&state.catalog.encode());
        }
    }

    fn clock<R: Runtime>(&mut self, state: &ShardState<R>, out: &mut Vec<u8>) {
        self.stage = Stage::Outboxes;
        if let Some(ClockReading { log_ms, believed, seen }) = state.clock {
            encode_into(&ClockV1 { log_ms, believed: believed.0, seen: seen.0 }, out);
        }
    }

    fn outboxes<R: Runtime>(&mut self, state: &ShardState<R>, out: &mut Vec<u8>) {
        self.stage = Stage::Names;
        let outboxes = state.outboxes.iter().map(|(shard, outbox)| (shard.0, outbox.start, outbox.end));
        let inboxes = state.inboxes.iter().map(|(shard, inbox)| (shard.0, inbox.position));
        encode_into(&OutboxesV1 { outboxes: outboxes.collect(), inboxes: inboxes.collect() }, out);
    }

    fn names<R: Runtime>(&mut self, state: &ShardState<R>, out: &mut Vec<u8>) {
        let mut slice = NamesV1 { next: state.next_name.0, names: Vec::new() };
        let mut size = 0;
        for (name, number) in state.names.range(after(self.name.as_ref())) {
            size += name.len() + 16;
            slice.names.push((number.0, name.clone()));
            if size >= SLICE_SIZE_TARGET {
                break;
            }
        }
        match slice.names.last() {
            Some((_, name)) if size >= SLICE_SIZE_TARGET => self.name = Some(name.clone()),
            _ => self.stage = Stage::Inputs,
        }
        encode_into(&slice, out);
    }

    fn inputs<R: Runtime>(&mut self, state: &ShardState<R>, out: &mut Vec<u8>) {
        let rows = state.inputs.range(after(self.input.as_ref())).take(ROWS_MAX);
        let rows = rows.map(|((task, partition), offset)| (task.0, partition.0, offset.0));
        let slice = InputsV1 { inputs: rows.collect() };
        match slice.inputs.last() {
            Some((task, partition, _)) if slice.inputs.len() == ROWS_MAX => {
                self.input = Some((StoreId(*task), PartitionId(*partition)));
            }
            _ => self.stage = Stage::Groups,
        }
        if !slice.inputs.is_empty() {
            encode_into(&slice, out);
        }
    }

    fn groups<R: Runtime>(&mut self, state: &ShardState<R>, out: &mut Vec<u8>) {
        let begun = self.group.is_some();
        let cursor = self.group.get_or_insert_default();
        // Their numbers are not given again even if there is none left.
        let slice = state.groups.slice(cursor);
        if slice.is_none() {
            self.stage = Stage::Partitions;
        }
        if let Some(slice) = slice.or_else(|| state.groups.empty_slice().filter(|_| !begun)) {
            encode_into(&slice, out);
        }
    }

    fn partitions<R: Runtime>(&mut self, state: &ShardState<R>, out: &mut Vec<u8>) {
        let mut slice = PartitionsV3::default();
        // As of the same moment: frames read again are told by it for both.
        let mut compactions = CompactionsV1::default();
        let mut size = 0;
        for (id, partition) in state.partitions.range(after(self.partition.as_ref())) {
            let row = partition_row(*id, partition);
            let batches: usize = row.producers.iter().map(|window| 26 + 16 * window.batches.len()).sum();
            size += 64 + batches + 24 * row.marks.len();
            slice.partitions.push(row);
            if partition.compaction != CompactionState::default() {
                size += 40 + 20 * partition.compaction.marks.len();
                compactions.partitions.push(compaction_row(*id, &partition.compaction));
            }
            if size >= SLICE_SIZE_TARGET {
                break;
            }
        }
        match slice.partitions.last() {
            Some(row) if size >= SLICE_SIZE_TARGET => self.partition = Some(PartitionId(row.partition)),
            _ => self.stage = Stage::Stores,
        }
        if !slice.partitions.is_empty() {
            encode_into(&slice, out);
        }
        if !compactions.partitions.is_empty() {
            self.ready.push_back(thalweg_archive::encode(&compactions));
        }
    }

    /// Encodes leaves of one store until a slice is full, or the store is through.
    fn stores<R: Runtime>(&mut self, state: &ShardState<R>) {
        let (id, mut cursor) = self.store.unwrap_or_default();
        let begin = if self.store.is_some() { Bound::Included(id) } else { Bound::Unbounded };
        let Some((found, table)) = state.stores.range((begin, Bound::Unbounded)).next() else {
            self.stage = Stage::Done;
            return;
        };
        if *found != id {
            cursor = Cursor::default();
        }
        let mut rows = StoreRowsV1 { store: found.0, ..StoreRowsV1::default() };
        let before = self.ready.len();
        while !cursor.ended() && rows.bytes.len() < SLICE_SIZE_TARGET && self.ready.len() == before {
            table.walk(&mut cursor, |key, value| {
                rows.push(key, value);
                if rows.bytes.len() >= SLICE_SIZE_TARGET {
                    self.ready.push_back(thalweg_archive::encode(&rows));
                    rows = StoreRowsV1 { store: found.0, ..StoreRowsV1::default() };
                }
            });
        }
        if !rows.key_sizes.is_empty() {
            self.ready.push_back(thalweg_archive::encode(&rows));
        }
        self.store =
            Some(if cursor.ended() { (StoreId(found.0 + 1), Cursor::default()) } else { (*found, cursor) });
    }
}

fn partition_row(id: PartitionId, partition: &PartitionState) -> PartitionRowV3 {
    let window = |row: WindowRow| WindowV2 {
        producer: row.producer.0,
        epoch: row.epoch.0,
        batches: row.batches.iter().map(|(first, count, base)| (first.0, *count, base.0)).collect(),
        appended_ms: row.appended_ms,
    };
    let mark = |mark: &Mark| (mark.end.0, mark.bytes, mark.appended);
    PartitionRowV3 {
        partition: id.0,
        start: partition.start.0,
        end: partition.end.0,
        producers: partition.producers.rows().map(window).collect(),
        begin: mark(&partition.timeline.begin),
        marks: partition.timeline.marks.iter().map(mark).collect(),
    }
}

fn compaction_row(id: PartitionId, compaction: &CompactionState) -> CompactionRowV1 {
    let mark = |mark: &CompactionMark| (mark.end.0, mark.at, mark.tombstones);
    CompactionRowV1 {
        partition: id.0,
        clean: compaction.clean.0,
        applied: compaction.applied.0,
        marks: compaction.marks.iter().map(mark).collect(),
    }
}

/// `None` if the marks do not rise, or do not end where the partition does.
fn timeline_of(begin: MarkV1, marks: &[MarkV1], end: Offset) -> Option<Timeline> {
    let mark = |(end, bytes, appended): MarkV1| Mark { end: Offset(end), bytes, appended };
    let all: VecDeque<Mark> = marks.iter().map(|row| mark(*row)).collect();
    let mut before = begin;
    for row in marks {
        if row.0 <= before.0 || row.1 < before.1 || row.2 < before.2 {
            return None;
        }
        before = *row;
    }
    (before.0 <= end.0 && all.len() <= TIMELINE_MARKS_MAX)
        .then_some(Timeline { begin: mark(begin), marks: all })
}

fn contradiction<T>(what: &'static str) -> Result<T, RestoreError> {
    Err(RestoreError::Contradiction { what })
}

impl<R: Runtime> ShardState<R> {
    /// Takes in one slice.
    pub(super) fn restore(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let Envelope { kind, version, .. } = Envelope::read(bytes)?;
        match (kind, version) {
            (CatalogV4::TYPE, CatalogV2::VERSION | CatalogV3::VERSION | CatalogV4::VERSION) => {
                let Ok(catalog) = Catalog::decode(bytes) else { return contradiction("the catalog") };
                self.catalog = catalog;
            }
            (OutboxesV1::TYPE, OutboxesV1::VERSION) => self.restore_outboxes(bytes)?,
            (NamesV1::TYPE, NamesV1::VERSION) => self.restore_names(bytes)?,
            (InputsV1::TYPE, InputsV1::VERSION) => {
                let slice: InputsV1 = deserialize(view::<InputsV1>(bytes)?);
                let rows = slice.inputs.into_iter();
                self.inputs.extend(rows.map(|(task, id, at)| ((StoreId(task), PartitionId(id)), Offset(at))));
            }
            (ClockV1::TYPE, ClockV1::VERSION) => {
                let ClockV1 { log_ms, believed, seen } = deserialize(view::<ClockV1>(bytes)?);
                self.clock =
                    Some(ClockReading { log_ms, believed: Timestamp(believed), seen: Timestamp(seen) });
            }
            (GroupsV1::TYPE, GroupsV1::VERSION) => {
                let slice: GroupsV1 = deserialize(view::<GroupsV1>(bytes)?);
                if let Err(what) = self.groups.restore(slice) {
                    return contradiction(what);
                }
            }
            (PartitionsV2::TYPE, PartitionsV2::VERSION) => {
                let slice: PartitionsV2 = deserialize(view::<PartitionsV2>(bytes)?);
                // The clock's slice comes before; later they did not append.
                let interval_ms = CLOCK_INTERVAL.as_millis() as u64;
                let now_ms = self.clock.map_or(0, |clock| clock.log_ms) + interval_ms;
                let rows = slice.partitions.into_iter();
                self.restore_partitions(rows.map(|row| PartitionRowV3::from_v2(row, now_ms)))?;
            }
            (PartitionsV3::TYPE, PartitionsV3::VERSION) => {
                let slice: PartitionsV3 = deserialize(view::<PartitionsV3>(bytes)?);
                self.restore_partitions(slice.partitions.into_iter())?;
            }
            (CompactionsV1::TYPE, CompactionsV1::VERSION) => self.restore_compactions(bytes)?,
            (StoreRowsV1::TYPE, StoreRowsV1::VERSION) => {
                let rows = view::<StoreRowsV1>(bytes)?;
                let table = self.stores.entry(StoreId(rows.store.to_native())).or_default();
                if !rows.visit(|key, value| table.set(key, Some(value))) {
                    return contradiction("rows of a store");
                }
            }
            (kind, version) => return Err(RestoreError::Unknown { kind, version }),
        }
        Ok(())
    }

    fn restore_outboxes(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let slice: OutboxesV1 = deserialize(view::<OutboxesV1>(bytes)?);
        for (shard, start, end) in slice.outboxes {
            if start > end {
                return contradiction("an outbox that ends before it begins");
            }
            let outbox = self.outboxes.entry(ShardId(shard)).or_default();
            (outbox.start, outbox.end, outbox.next) = (start, end, end);
        }
        for (shard, position) in slice.inboxes {
            let inbox = self.inboxes.entry(ShardId(shard)).or_default();
            (inbox.position, inbox.next) = (position, position);
        }
        Ok(())
    }

    fn restore_names(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let slice: NamesV1 = deserialize(view::<NamesV1>(bytes)?);
        self.next_name = self.next_name.max(StoreId(slice.next));
        for (number, name) in slice.names {
            if number >= slice.next {
                return contradiction("a name with a number that was never given");
            }
            self.insert_name(name, StoreId(number));
        }
        Ok(())
    }

    fn restore_compactions(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let slice: CompactionsV1 = deserialize(view::<CompactionsV1>(bytes)?);
        for row in slice.partitions {
            let Some(partition) = self.partitions.get_mut(&PartitionId(row.partition)) else {
                return contradiction("compaction of a partition that does not exist");
            };
            let rises = row.marks.is_sorted_by(|before, next| before.0 < next.0);
            if !rises || row.marks.len() > COMPACTION_MARKS_MAX {
                return contradiction("marks of a compaction");
            }
            let mark = |(end, at, tombstones)| CompactionMark { end: Offset(end), at, tombstones };
            partition.compaction = CompactionState {
                clean: Offset(row.clean),
                marks: row.marks.into_iter().map(mark).collect(),
                applied: Sequence(row.applied),
            };
        }
        Ok(())
    }

    fn restore_partitions(&mut self, rows: impl Iterator<Item = PartitionRowV3>) -> Result<(), RestoreError> {
        for row in rows {
            if row.start > row.end {
                return contradiction("a partition that ends before it begins");
            }
            let windows = row.producers.into_iter().map(|window| WindowRow {
                producer: ProducerId(window.producer),
                epoch: ProducerEpoch(window.epoch),
                batches: (window.batches.into_iter())
                    .map(|(first, count, base)| (RecordSequence(first), count, Offset(base)))
                    .collect(),
                appended_ms: window.appended_ms,
            });
            let Some(producers) = ProducerTable::from_rows(windows) else {
                return contradiction("windows of producers");
            };
            let (start, end) = (Offset(row.start), Offset(row.end));
            let Some(timeline) = timeline_of(row.begin, &row.marks, end) else {
                return contradiction("marks of a partition");
            };
            let state =
                PartitionState { start, end, next: end, producers, timeline, ..PartitionState::default() };
            self.partitions.insert(PartitionId(row.partition), state);
        }
        Ok(())
    }
}
