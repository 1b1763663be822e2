//! Passes of compaction over native and foreign batches, against a model of every record.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::compaction::{
    BatchCodec, ForeignBatches, ForeignRecord, Outcome, Plan, Rewritten, compact,
};
use thalweg_engine::io::Runtime;
use thalweg_engine::log::format::{CHECKSUM_CRC32C, Entry, EntryKind};
use thalweg_engine::log::inspect::verify;
use thalweg_engine::log::{DraftEntry, Log, LogOptions, ReadBatch};
use thalweg_engine::model::{BatchBuilder, BatchView, Offset, PartitionId, StreamId, Timestamp};
use thalweg_sim::{Crash, Prng, RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::{FOLDER, State, append_committed, small_segments};

const PARTITION: u64 = 7;

/// Encoding of the toy's batches: eight bytes that nobody checks, then records of a delta, a key, a size and as many bytes.
const TOY: u8 = 9;

const TOMBSTONE: u16 = u16::MAX;

#[derive(Debug)]
struct Toy;

static TOY_CODEC: Toy = Toy;

fn toy_records(bytes: &[u8]) -> Vec<(u16, u16, Option<&[u8]>)> {
    let (mut rest, mut records) = (&bytes[8..], Vec::new());
    while let Some((fixed, behind)) = rest.split_first_chunk::<6>() {
        let field = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let size = if field(4) == TOMBSTONE { 0 } else { usize::from(field(4)) };
        let (value, behind) = behind.split_at(size);
        records.push((field(0), field(2), (field(4) != TOMBSTONE).then_some(value)));
        rest = behind;
    }
    records
}

fn toy_batch(records: &[(u16, u16, Option<&[u8]>)]) -> Vec<u8> {
    let mut bytes = vec![0xab; 8];
    for (delta, key, value) in records {
        bytes.extend(delta.to_le_bytes());
        bytes.extend(key.to_le_bytes());
        bytes.extend(value.map_or(TOMBSTONE, |value| value.len() as u16).to_le_bytes());
        bytes.extend(value.unwrap_or_default());
    }
    bytes
}

impl BatchCodec for Toy {
    fn visit(
        &self,
        encoding: u8,
        base: Offset,
        bytes: &[u8],
        visit: &mut dyn FnMut(ForeignRecord<'_>),
    ) -> bool {
        assert_eq!(encoding, TOY);
        for (delta, key, value) in toy_records(bytes) {
            let (offset, key) = (Offset(base.0 + u64::from(delta)), key.to_le_bytes());
            visit(ForeignRecord { offset, key: Some(&key), is_tombstone: value.is_none() });
        }
        true
    }

    fn rewrite(
        &self,
        _: u8,
        base: Offset,
        bytes: &[u8],
        keeps: &dyn Fn(Offset) -> bool,
    ) -> Option<Rewritten> {
        let mut records = toy_records(bytes);
        records.retain(|(delta, _, _)| keeps(Offset(base.0 + u64::from(*delta))));
        let bytes = toy_batch(&records);
        let checksum = Some(crc32c::crc32c(&bytes[8..]));
        Some(Rewritten { bytes, count: records.len() as u32, timestamp_max: 1, checksum, checksum_from: 8 })
    }
}

type Value = Option<Vec<u8>>;

#[derive(Debug, Default)]
struct Model {
    /// Key and value of every offset.
    sent: Vec<(u16, Value)>,
    gone: BTreeSet<u64>,
    clean: Offset,
}

fn options() -> LogOptions {
    LogOptions { regroup_age: Duration::from_secs(30), run_size_min: 4096, ..small_segments() }
}

async fn append(log: &Log<SimRuntime>, model: &mut Model, prng: &mut Prng, foreign: bool) {
    let base = model.sent.len() as u64;
    let records: Vec<(u16, Value)> = (0..1 + prng.below(6))
        .map(|_| {
            let key = if prng.below(5) == 0 { prng.below(5000) } else { prng.below(30) };
            let value = vec![prng.below(256) as u8; prng.below(300) as usize];
            (key as u16, (prng.below(4) > 0).then_some(value))
        })
        .collect();
    let mut entry = Entry {
        kind: EntryKind::Batch.raw(),
        subject: PARTITION,
        base,
        count: records.len() as u32,
        owner: u64::MAX,
        timestamp_max: 1,
        ..Entry::default()
    };
    let payload = if foreign {
        let numbered = records.iter().enumerate();
        let all: Vec<_> =
            numbered.map(|(delta, (key, value))| (delta as u16, *key, value.as_deref())).collect();
        let bytes = toy_batch(&all);
        entry.encoding = TOY;
        (entry.checksum_kind, entry.checksum, entry.checksum_from) =
            (CHECKSUM_CRC32C, crc32c::crc32c(&bytes[8..]), 8);
        bytes
    } else {
        let mut builder = BatchBuilder::new();
        for (key, value) in &records {
            builder.push(Timestamp(1), Some(&key.to_le_bytes()), value.as_deref(), &[]).unwrap();
        }
        builder.into_bytes()
    };
    append_committed(log, &[DraftEntry { entry, payload: &payload }]).await;
    model.sent.extend(records);
}

fn records_of(batch: &ReadBatch<SimRuntime>) -> Vec<(u64, u16, Value)> {
    let key_of = |key: &[u8]| u16::from_le_bytes([key[0], key[1]]);
    if batch.encoding == TOY {
        let records = toy_records(&batch.bytes).into_iter();
        return records
            .map(|(at, key, value)| (batch.base.0 + u64::from(at), key, value.map(<[u8]>::to_vec)))
            .collect();
    }
    let view = BatchView::parse(&batch.bytes).unwrap();
    let record = |(offset, record): (Offset, thalweg_engine::model::RecordRef<'_>)| {
        (offset.0, key_of(record.key.unwrap()), record.value.map(<[u8]>::to_vec))
    };
    view.numbered(batch.base).map(record).collect()
}

/// Checks all that is left; returns the offsets.
async fn check(log: &Log<SimRuntime>, model: &mut Model, gone_before: u64) -> BTreeSet<u64> {
    let end = model.sent.len() as u64;
    let (mut at, mut found) = (0, BTreeSet::new());
    while at < end {
        let batches = log.read(StreamId(PARTITION), Offset(at), 8 << 10).await.unwrap();
        assert!(!batches.is_empty());
        for batch in batches {
            assert!(batch.end.0 > at);
            for (offset, key, value) in records_of(&batch) {
                assert_eq!((key, &value), (model.sent[offset as usize].0, &model.sent[offset as usize].1));
                assert!(found.insert(offset));
            }
            at = batch.end.0;
        }
    }
    let mut latest = BTreeMap::new();
    for (offset, (key, _)) in model.sent.iter().enumerate() {
        latest.insert(*key, offset as u64);
    }
    for (key, offset) in latest {
        let went = model.sent[offset as usize].1.is_none() && offset < gone_before;
        assert!(found.contains(&offset) || went, "the latest of key {key} at {offset}");
    }
    assert!(model.gone.is_disjoint(&found), "nothing comes back");
    model.gone = (0..end).filter(|offset| !found.contains(offset)).collect();
    found
}

fn life<F: Future<Output = ()> + 'static>(
    world: &World,
    task: impl Fn(SimRuntime, Log<SimRuntime>) -> F + 'static,
) {
    let task = Rc::new(task);
    world.start(1, move |runtime: SimRuntime| {
        let task = Rc::clone(&task);
        async move {
            let state = Rc::new(RefCell::new(State::default()));
            let opened = Log::open(runtime.clone(), Path::new(FOLDER), options(), state).await;
            let (log, _) = opened.expect("the log opens");
            task(runtime.clone(), log.clone()).await;
            log.close().await;
            let check = verify(&runtime, Path::new(FOLDER), None).await.unwrap();
            assert!(check.is_whole(), "{:?}", check.view.findings);
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    world.crash(Crash::Power);
}

fn plan(model: &Model, foreign: ForeignBatches, memory: usize, gone_before: u64) -> Plan {
    Plan {
        partition: PartitionId(PARTITION),
        start: Offset(0),
        clean: model.clean,
        limit: Offset(u64::MAX),
        gone_before: Offset(gone_before),
        memory,
        foreign,
    }
}

#[test]
fn passes_leave_the_latest_of_every_key_in_native_and_foreign_batches() {
    let mut marks = BTreeMap::new();
    for seed in 0..8 {
        let world = World::new(seed, WorldConfig::calm());
        let shared: Rc<RefCell<(Model, Prng)>> = Rc::new(RefCell::new((Model::default(), Prng::new(seed))));
        for round in 0..4 {
            let shared = Rc::clone(&shared);
            life(&world, move |runtime, log| {
                let shared = Rc::clone(&shared);
                async move {
                    let (mut model, mut prng) = shared.replace((Model::default(), Prng::new(0)));
                    for _ in 0..250 {
                        append(&log, &mut model, &mut prng, seed % 3 != 0).await;
                    }
                    runtime.sleep(Duration::from_secs(1)).await;
                    let gone_before = if round > 1 { model.clean.0 } else { 0 };
                    let memory = if seed % 2 == 0 { 3000 } else { 1 << 20 };
                    let foreign = ForeignBatches(Some(&TOY_CODEC));
                    let clean = model.clean;
                    let mut outcome: Outcome =
                        compact(&log, &plan(&model, foreign, memory, gone_before)).await.unwrap();
                    assert!(outcome.end > clean && !outcome.incomplete && outcome.superseded > 0);
                    // What the pass left lies in segments that have not ended, some of it: the next may not get through.
                    while !outcome.incomplete && outcome.end > model.clean {
                        model.clean = outcome.end;
                        outcome = compact(&log, &plan(&model, foreign, memory, 0)).await.unwrap();
                    }
                    let found = check(&log, &mut model, gone_before).await;
                    // No key twice, and no tombstone that was to go.
                    let mut keys = BTreeSet::new();
                    for offset in found.range(..model.clean.0) {
                        let (key, value) = &model.sent[*offset as usize];
                        assert!(keys.insert(*key), "key {key} twice");
                        assert!(value.is_some() || *offset >= gone_before, "the tombstone at {offset}");
                    }
                    if round == 2 {
                        log.checkpoint().await.unwrap();
                    }
                    runtime.sleep(Duration::from_secs(90)).await;
                    check(&log, &mut model, gone_before).await;
                    shared.replace((model, prng));
                }
            });
        }
        for mark in
            ["compaction-keys-full", "compaction-tombstone-gone", "regroup-committed", "segment-recycled"]
        {
            *marks.entry(mark).or_insert(0) += world.coverage().of(mark);
        }
    }
    assert!(marks.values().all(|count| *count > 0), "{marks:?}");
}

#[test]
fn batches_that_nobody_looks_into_stay_as_they_are_and_no_pass_over_them_is_complete() {
    let world = World::new(3, WorldConfig::calm());
    life(&world, |runtime, log| async move {
        let (mut model, mut prng) = (Model::default(), Prng::new(3));
        for number in 0..400 {
            append(&log, &mut model, &mut prng, number % 20 == 0).await;
        }
        runtime.sleep(Duration::from_secs(1)).await;
        let outcome = compact(&log, &plan(&model, ForeignBatches::default(), 1 << 20, 0)).await.unwrap();
        assert!(outcome.incomplete && outcome.superseded > 0);
        check(&log, &mut model, 0).await;
        let batches = log.read(StreamId(PARTITION), Offset(0), 1 << 20).await.unwrap();
        assert!(batches.iter().filter(|batch| batch.encoding == TOY).count() > 10);
        let toys = batches.iter().filter(|batch| batch.encoding == TOY);
        assert!(toys.into_iter().all(|batch| records_of(batch).len() as u64 == batch.end.0 - batch.base.0));
    });
}
