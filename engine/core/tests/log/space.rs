//! A full disk.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::Runtime;
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::log::format::{Entry, EntryKind, FRAME_MAGIC};
use thalweg_engine::log::{AppendError, DraftEntry, Log, LogOptions, OpenError};
use thalweg_engine::model::{Offset, Sequence, StreamId};
use thalweg_sim::{BitFlip, Crash, RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::{FOLDER, State};

const STREAM: StreamId = StreamId(1);

fn options() -> LogOptions {
    LogOptions {
        segment_size: 64 << 10,
        pool_target: 1,
        checkpoint_interval: u64::MAX,
        cache_bytes: 0,
        frame_size_target: 16 << 10,
        frame_size_max: 32 << 10,
        ..LogOptions::default()
    }
}

/// Appends one batch and waits for it; says why not.
async fn append(log: &Log<SimRuntime>, base: u64) -> Result<(), AppendError> {
    let entry = Entry { kind: EntryKind::Batch.raw(), subject: STREAM.0, base, count: 1, ..Entry::default() };
    let payload = vec![base as u8; 3000];
    let sequence = loop {
        match log.append(&[DraftEntry { entry, payload: &payload }]) {
            Err(AppendError::Busy) => log.ready().await.unwrap(),
            other => break other?,
        }
    };
    log.wait_committed(sequence).await.unwrap();
    Ok(())
}

fn trim(start: u64) -> Entry {
    Entry { kind: EntryKind::LogStart.raw(), subject: STREAM.0, base: start, ..Entry::default() }
}

/// Appends one entry, in a frame of its own, and waits for it; for a while it may be refused.
async fn let_go(runtime: &SimRuntime, log: &Log<SimRuntime>, entry: Entry) {
    let mut tries = 0;
    let sequence = loop {
        match log.append(&[DraftEntry { entry, payload: &[] }]) {
            Ok(sequence) => break sequence,
            Err(AppendError::Busy) => log.ready().await.unwrap(),
            Err(error) => assert_eq!(error, AppendError::NoSpace),
        }
        tries += 1;
        assert!(tries < 100, "a full disk cannot be trimmed: {:?}", log.status());
        runtime.sleep(Duration::from_millis(100)).await;
    };
    log.wait_committed(sequence).await.unwrap();
}

/// Appends until the disk is full; returns where the stream goes on.
async fn fill(log: &Log<SimRuntime>, mut next: u64) -> u64 {
    loop {
        match append(log, next).await {
            Ok(()) => next += 1,
            Err(AppendError::NoSpace) => return next,
            Err(error) => panic!("{error}"),
        }
        assert!(next < 10_000, "the disk is never full");
    }
}

/// Appends one batch as soon as there is room.
async fn append_again(runtime: &SimRuntime, log: &Log<SimRuntime>, next: u64) {
    let mut tries = 0;
    while let Err(error) = append(log, next).await {
        assert_eq!(error, AppendError::NoSpace);
        tries += 1;
        assert!(tries < 100, "what was let go is not used again: {:?}", log.status());
        runtime.sleep(Duration::from_millis(100)).await;
    }
}

fn full_world(seed: u64) -> World {
    World::new(seed, WorldConfig { disk_capacity: 6 * (64 << 10) + (128 << 10), ..WorldConfig::calm() })
}

#[test]
fn any_number_of_trims_finds_room_on_a_full_disk() {
    for seed in 0..4 {
        let world = full_world(seed);
        world.start(1, |runtime: SimRuntime| async move {
            let state = Rc::new(RefCell::new(State::default()));
            let opened = Log::open(runtime.clone(), Path::new(FOLDER), options(), state).await;
            let (log, _) = opened.unwrap();
            let next = fill(&log, 0).await;
            // Far more blocks than there are on the disk; none of them lets a segment die, until the last.
            for _ in 0..300 {
                let_go(&runtime, &log, trim(1)).await;
                // A frame without entries would follow each of them.
                runtime.sleep(Duration::from_millis(250)).await;
            }
            // What was in ended segments lies closer by now, without what frames are filled up with.
            let next = fill(&log, next).await;
            assert_eq!(log.bounds(STREAM).unwrap().start, Offset(1));
            let_go(&runtime, &log, trim(next)).await;
            append_again(&runtime, &log, next).await;
            log.close().await;
        });
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
    }
}

#[test]
fn a_disk_that_stays_full_over_many_starts_can_be_trimmed() {
    for seed in 0..4 {
        let world = full_world(seed);
        let mut prng = world.prng("crashes");
        let next = Rc::new(Cell::new(0));
        let filled = Rc::clone(&next);
        world.start(1, move |runtime: SimRuntime| {
            let filled = Rc::clone(&filled);
            async move {
                let state = Rc::new(RefCell::new(State::default()));
                let (log, _) = Log::open(runtime, Path::new(FOLDER), options(), state).await.unwrap();
                filled.set(fill(&log, 0).await);
            }
        });
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
        // Each start trims a little, idles and ends, by itself or by a crash at any moment.
        for life in 0..80u64 {
            world.crash(if prng.coin() { Crash::Power } else { Crash::Process });
            world.start(1, move |runtime: SimRuntime| async move {
                let state = Rc::new(RefCell::new(State::default()));
                let opened = Log::open(runtime.clone(), Path::new(FOLDER), options(), state).await;
                let (log, _) = opened.unwrap();
                for _ in 0..life % 4 {
                    let_go(&runtime, &log, trim(1)).await;
                }
                runtime.sleep(Duration::from_millis(300)).await;
                log.close().await;
            });
            let stop = if prng.coin() { StopAt::Exit } else { StopAt::Poll(prng.range(1..400)) };
            world.run_until(stop);
        }
        world.crash(Crash::Power);
        world.start(1, move |runtime: SimRuntime| {
            let next = next.get();
            async move {
                let state = Rc::new(RefCell::new(State::default()));
                let opened = Log::open(runtime.clone(), Path::new(FOLDER), options(), state).await;
                let (log, _) = opened.unwrap();
                let_go(&runtime, &log, trim(next)).await;
                append_again(&runtime, &log, next).await;
                log.close().await;
            }
        });
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
    }
}

async fn fill_trim_and_go_on(runtime: SimRuntime) {
    let state = Rc::new(RefCell::new(State::default()));
    let (log, _) = Log::open(runtime.clone(), Path::new(FOLDER), options(), state).await.unwrap();
    let mut next = 0;
    for _ in 0..3 {
        next = fill(&log, next).await;
        // Reads go on, and what gives room back is taken.
        let start = log.bounds(STREAM).unwrap().start;
        let batches = log.read(STREAM, start, 1).await.unwrap();
        assert_eq!(&*batches[0].bytes, vec![start.0 as u8; 3000]);
        let sequence = log.append(&[DraftEntry { entry: trim(next - 1), payload: &[] }]).unwrap();
        log.wait_committed(sequence).await.unwrap();
        assert_eq!(log.bounds(STREAM).unwrap().start, Offset(next - 1));
        append_again(&runtime, &log, next).await;
        next += 1;
    }
    log.close().await;
}

#[test]
fn a_full_disk_refuses_appends_takes_trims_and_goes_on_when_there_is_room_again() {
    for seed in 0..20 {
        let world = full_world(seed);
        world.start(1, fill_trim_and_go_on);
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
        assert!(world.coverage().of("segment-recycled") > 0);
        assert!(world.coverage().of("no-space") > 0);
    }
}

#[test]
fn a_log_closed_without_room_for_another_frame_knows_its_last_one_durable() {
    let world = full_world(3);
    let last = Rc::new(Cell::new(None));
    let filled = Rc::clone(&last);
    world.start(1, move |runtime: SimRuntime| {
        let filled = Rc::clone(&filled);
        async move {
            let state = Rc::new(RefCell::new(State::default()));
            let (log, _) = Log::open(runtime, Path::new(FOLDER), options(), state).await.unwrap();
            fill(&log, 0).await;
            filled.set(Some(log.committed()));
            log.close().await;
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    assert_eq!(world.coverage().of("closed-without-room"), 1);
    let last = last.get().expect("the disk was filled");
    let (path, position) = frame_of(&world, last);
    world.crash(Crash::Power);
    world.flip_bit(BitFlip { path: path.clone(), position: position + 600, bit: 3 });
    world.start(1, move |runtime: SimRuntime| {
        let path = path.clone();
        async move {
            let state = Rc::new(RefCell::new(State::default()));
            match Log::open(runtime, Path::new(FOLDER), options(), state).await {
                Err(OpenError::Damaged { file, position: at, sequence, .. }) => {
                    assert_eq!((file, at, sequence), (path, position, last));
                }
                other => panic!("opened with {:?}", other.map(|(_, report)| report)),
            }
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
}

/// The file that holds a frame, and where in it.
fn frame_of(world: &World, sequence: Sequence) -> (PathBuf, u64) {
    for path in world.files() {
        let content = world.content(&path).unwrap_or_default();
        for (block, bytes) in content.chunks(BLOCK_SIZE).enumerate() {
            if bytes.starts_with(&FRAME_MAGIC) && bytes[40..48] == sequence.0.to_le_bytes() {
                return (path, (block * BLOCK_SIZE) as u64);
            }
        }
    }
    panic!("frame {sequence} is nowhere");
}

/// A disk that segments could fill to the last block.
fn tight_world(seed: u64) -> World {
    World::new(seed, WorldConfig { disk_capacity: 7 * (64 << 10) + 2 * 4096, ..WorldConfig::calm() })
}

#[test]
fn a_disk_that_has_no_room_beside_segments_has_room_for_checkpoints() {
    for seed in 0..20 {
        let world = tight_world(seed);
        world.start(1, fill_trim_and_go_on);
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
        assert!(world.coverage().of("segment-recycled") > 0);
    }
}

/// Fills the disk with batches of ever new streams, a hundred in a frame, and deletes them.
async fn fill_with_streams(runtime: SimRuntime) {
    let state = Rc::new(RefCell::new(State::default()));
    // The disk is full of segments before the first append.
    let options = LogOptions { pool_target: 4, ..options() };
    let (log, _) = Log::open(runtime.clone(), Path::new(FOLDER), options, state).await.unwrap();
    runtime.sleep(Duration::from_secs(1)).await;
    let batch = |subject| Entry { kind: EntryKind::Batch.raw(), subject, count: 1, ..Entry::default() };
    let mut next = 0;
    for _ in 0..4 {
        let first = next;
        loop {
            let entries: Vec<DraftEntry<'_>> =
                (next..next + 100).map(|id| DraftEntry { entry: batch(id), payload: b"batch" }).collect();
            match log.append(&entries) {
                Ok(_) => next += 100,
                Err(AppendError::Busy) => log.ready().await.unwrap(),
                Err(error) => {
                    assert_eq!(error, AppendError::NoSpace);
                    break;
                }
            }
        }
        log.checkpoint().await.expect("there is room for a checkpoint");
        for id in first..next {
            let kind = EntryKind::PartitionDeleted.raw();
            let deletion = Entry { kind, subject: id, ..Entry::default() };
            if id + 1 < next && log.append(&[DraftEntry { entry: deletion, payload: &[] }]).is_ok() {
                continue;
            }
            let_go(&runtime, &log, deletion).await;
        }
        append_again(&runtime, &log, next).await;
        let_go(&runtime, &log, trim(next + 1)).await;
    }
    log.close().await;
}

#[test]
fn checkpoints_that_grow_find_room_on_a_full_disk() {
    let mut given_up = 0;
    for seed in 0..20 {
        let world = tight_world(seed);
        world.start(1, fill_with_streams);
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
        assert!(world.coverage().of("checkpoint-room") > 0);
        given_up += world.coverage().of("segment-given-up");
    }
    assert!(given_up > 0, "no segment was given up for them");
}
