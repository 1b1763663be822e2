//! Store segments: space comes back while something is live, and streams that lay scattered are read in long runs.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::inspect::{SegmentUse, verify};
use thalweg_engine::log::{DraftEntry, Log, LogOptions};
use thalweg_engine::model::{Offset, StreamId};
use thalweg_sim::{Crash, RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::{FOLDER, State, append_committed, small_segments};

const SEGMENT_SIZE: u32 = 256 << 10;

const STREAMS: u64 = 16;

/// Frames, each with one batch of every stream.
const ROUNDS: u64 = 320;

/// Bytes of a batch.
const SIZE: usize = 1008;

fn options() -> LogOptions {
    LogOptions {
        segment_size: SEGMENT_SIZE,
        frame_size_target: 64 << 10,
        frame_size_max: 128 << 10,
        run_size_min: 4096,
        regroup_age: Duration::from_secs(1_000_000),
        ..small_segments()
    }
}

async fn open(runtime: &SimRuntime) -> Log<SimRuntime> {
    let state = Rc::new(RefCell::new(State::default()));
    Log::open(runtime.clone(), Path::new(FOLDER), options(), state).await.expect("the log opens").0
}

fn payload(stream: u64, base: u64) -> Vec<u8> {
    [stream.to_le_bytes(), base.to_le_bytes()].concat().repeat(SIZE / 16)
}

async fn append_round(log: &Log<SimRuntime>, base: u64) {
    let payloads: Vec<Vec<u8>> = (0..STREAMS).map(|stream| payload(stream, base)).collect();
    let draft = |(stream, payload)| {
        let kind = EntryKind::Batch.raw();
        let entry = Entry { kind, subject: stream, base, count: 1, timestamp_max: 1, ..Entry::default() };
        DraftEntry { entry, payload }
    };
    let payloads = payloads.iter().map(Vec::as_slice);
    let drafts: Vec<DraftEntry<'_>> = (0..STREAMS).zip(payloads).map(draft).collect();
    append_committed(log, &drafts).await;
}

async fn trim(log: &Log<SimRuntime>, stream: u64, start: u64) {
    let entry = Entry { kind: EntryKind::LogStart.raw(), subject: stream, base: start, ..Entry::default() };
    append_committed(log, &[DraftEntry { entry, payload: &[] }]).await;
}

/// Reads `stream` from its start, and checks every batch; returns how many reads of the disk that took.
async fn read_all(log: &Log<SimRuntime>, stream: u64) -> u64 {
    let mut at = log.bounds(StreamId(stream)).unwrap().start.0;
    let mut reads = 0;
    while at < ROUNDS {
        let batches = log.read(StreamId(stream), Offset(at), 1 << 20).await.unwrap();
        reads += 1;
        for batch in batches {
            assert_eq!(batch.base, Offset(at));
            assert_eq!(*batch.bytes, *payload(stream, at));
            at += 1;
        }
    }
    reads
}

/// Runs `task` on the log, closes it, and checks all of its files.
fn life<F: Future<Output = ()> + 'static>(
    world: &World,
    task: impl Fn(SimRuntime, Log<SimRuntime>) -> F + 'static,
) {
    let task = Rc::new(task);
    world.start(1, move |runtime: SimRuntime| {
        let task = Rc::clone(&task);
        async move {
            let log = open(&runtime).await;
            task(runtime.clone(), log.clone()).await;
            log.close().await;
            let check = verify(&runtime, Path::new(FOLDER), None).await.unwrap();
            assert!(check.is_whole(), "{:?}", check.view.findings);
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    world.crash(Crash::Power);
}

async fn settle(runtime: &SimRuntime, log: &Log<SimRuntime>) {
    let mut before = u64::MAX;
    while before != log.status().regrouped {
        before = log.status().regrouped;
        log.checkpoint().await.unwrap();
        runtime.sleep(Duration::from_secs(2)).await;
    }
}

#[test]
fn dead_bytes_between_live_ones_take_little_room() {
    let world = World::new(1, WorldConfig::calm());
    life(&world, |runtime, log| async move {
        for base in 0..ROUNDS {
            append_round(&log, base).await;
        }
        let before = log.status().segments_used;
        // Three of four streams go; what is left lies everywhere.
        for stream in (0..STREAMS).filter(|stream| stream % 4 != 1) {
            trim(&log, stream, ROUNDS).await;
        }
        settle(&runtime, &log).await;
        let status = log.status();
        let segment = u64::from(SEGMENT_SIZE);
        let used = status.segments_used as u64 * segment;
        assert!(
            used <= status.live_bytes * 3 / 2 + 3 * segment,
            "{used} bytes used, before {before}: {status:?}"
        );
        assert!(status.regrouped > 0 && status.segments_used * 2 < before, "{status:?}");
        for stream in 0..STREAMS {
            read_all(&log, stream).await;
        }
    });
    // And so it is after a start.
    life(&world, |_, log| async move {
        for stream in 0..STREAMS {
            read_all(&log, stream).await;
        }
        trim(&log, 1, ROUNDS / 2).await;
        append_round(&log, ROUNDS).await;
    });
}

#[test]
fn a_stream_that_is_read_from_scattered_segments_is_moved_together() {
    let world = World::new(2, WorldConfig::calm());
    life(&world, |runtime, log| async move {
        for base in 0..ROUNDS {
            append_round(&log, base).await;
        }
        log.checkpoint().await.unwrap();
        runtime.sleep(Duration::from_secs(2)).await;
        assert_eq!(log.status().regrouped, 0, "nobody asked");
        read_all(&log, 3).await;
        settle(&runtime, &log).await;
        let regrouped = log.status().regrouped;
        assert!(regrouped >= 15, "{:?}", log.status());
        // All that had ended is moved: nobody asks again.
        read_all(&log, 3).await;
        settle(&runtime, &log).await;
        assert_eq!(log.status().regrouped, regrouped);
    });
    life(&world, |runtime, _| async move {
        let view = verify(&runtime, Path::new(FOLDER), None).await.unwrap().view;
        let stores = view.segments.iter().filter(|segment| segment.state == SegmentUse::Store);
        assert!(stores.count() >= 15, "{:?}", view.segments);
    });
}

#[test]
fn what_is_live_is_moved_together_on_a_full_disk_so_that_appends_go_on() {
    let capacity = 24 * u64::from(SEGMENT_SIZE) + (128 << 10);
    let world = World::new(4, WorldConfig { disk_capacity: capacity, ..WorldConfig::calm() });
    life(&world, |runtime, log| async move {
        // Ten times what the disk holds goes through it, half a dozen rounds of two streams and one of the others are kept.
        for base in 0..1500 {
            append_round(&log, base).await;
            for stream in (2..STREAMS).filter(|_| base >= 5) {
                trim(&log, stream, base - 4).await;
            }
            for stream in (0..2).filter(|_| base >= 300) {
                trim(&log, stream, base - 299).await;
            }
        }
        let status = log.status();
        assert!(status.regrouped > 0, "{status:?}");
        settle(&runtime, &log).await;
        let batches = log.read(StreamId(1), Offset(1200), 1 << 20).await.unwrap();
        assert_eq!(*batches[0].bytes, *payload(1, 1200));
    });
}

#[test]
fn moving_goes_on_beside_a_crash_at_any_moment() {
    for seed in 0..30 {
        let world = World::new(seed, WorldConfig::calm());
        life(&world, |_, log| async move {
            for base in 0..ROUNDS {
                append_round(&log, base).await;
            }
            log.checkpoint().await.unwrap();
        });
        let mut prng = world.prng("moments");
        for _ in 0..4 {
            world.start(1, |runtime: SimRuntime| async move {
                let log = open(&runtime).await;
                for stream in 0..STREAMS {
                    read_all(&log, stream).await;
                }
                let (reader, runtime) = (log.clone(), runtime.clone());
                runtime.spawn(Priority::Foreground, async move {
                    read_all(&reader, 5).await;
                });
                for stream in 0..4 {
                    trim(&log, stream, ROUNDS / 2).await;
                }
                settle(&runtime, &log).await;
            });
            world.run_until(StopAt::Poll(prng.range(50..4000)));
            world.crash(if prng.coin() { Crash::Power } else { Crash::Process });
        }
        life(&world, |_, log| async move {
            for stream in 0..STREAMS {
                read_all(&log, stream).await;
            }
        });
    }
}
