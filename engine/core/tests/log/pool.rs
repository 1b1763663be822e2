//! Segments that are made ready ahead of use, and the files behind them.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::Runtime;
use thalweg_engine::limits::SEGMENTS_KEPT;
use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::{AppendError, DraftEntry, Log, LogOptions};
use thalweg_engine::model::StreamId;
use thalweg_sim::{Chance, FaultConfig, RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::{FOLDER, State};

const STREAM: StreamId = StreamId(1);
/// A segment is filled with 16 writes, which take longer than any other work of the log.
const SEGMENT_SIZE: u32 = 8 << 20;

fn options(pool_target: usize) -> LogOptions {
    LogOptions {
        segment_size: SEGMENT_SIZE,
        pool_target,
        checkpoint_interval: u64::MAX,
        cache_bytes: 0,
        frame_size_target: 256 << 10,
        frame_size_max: 512 << 10,
        ..LogOptions::default()
    }
}

async fn open(runtime: &SimRuntime, pool_target: usize) -> Log<SimRuntime> {
    let state = Rc::new(RefCell::new(State::default()));
    Log::open(runtime.clone(), Path::new(FOLDER), options(pool_target), state).await.expect("the log opens").0
}

/// Appends one batch of 100,000 bytes.
fn append(log: &Log<SimRuntime>, base: u64) -> Result<(), AppendError> {
    let entry = Entry { kind: EntryKind::Batch.raw(), subject: STREAM.0, base, count: 1, ..Entry::default() };
    log.append(&[DraftEntry { entry, payload: &vec![base as u8; 100_000] }]).map(drop)
}

fn segment_files(world: &World) -> usize {
    let files = world.files();
    files.iter().filter(|path| path.to_string_lossy().contains("segment-")).count()
}

#[test]
fn no_append_waits_for_a_segment_to_be_filled_where_one_stands_ready() {
    for seed in 0..8 {
        let world = World::new(seed, WorldConfig::calm());
        world.start(1, |runtime: SimRuntime| async move {
            let log = open(&runtime, 3).await;
            let mut next = 0;
            while log.status().rolls < 6 {
                match append(&log, next) {
                    Ok(()) => next += 1,
                    Err(error) => {
                        assert_eq!(error, AppendError::Busy);
                        let (status, begun) = (log.status(), runtime.now());
                        log.ready().await.unwrap();
                        let waited = runtime.now().since(begun);
                        let filling = status.segments_ready > 0 && waited > Duration::from_millis(2);
                        assert!(!filling, "seed {seed}: {waited:?} with {status:?}");
                    }
                }
            }
            log.close().await;
        });
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
    }
}

/// Appends until all segments have been used that the disk has room for.
async fn fill(log: &Log<SimRuntime>) {
    for base in 0.. {
        loop {
            match append(log, base) {
                Ok(()) => break,
                Err(AppendError::Busy) => log.ready().await.unwrap(),
                Err(error) => return assert_eq!(error, AppendError::NoSpace),
            }
        }
    }
}

#[test]
fn a_file_in_whose_filling_there_is_no_room_stays_free() {
    for seed in 0..8 {
        let capacity = 8 * u64::from(SEGMENT_SIZE) + (1 << 20);
        let world = World::new(seed, WorldConfig { disk_capacity: capacity, ..WorldConfig::calm() });
        let used = Rc::new(Cell::new(0));
        let (filled, opened) = (Rc::clone(&used), Rc::new(Cell::new(false)));
        let is_open = Rc::clone(&opened);
        world.start(1, move |runtime: SimRuntime| {
            let (filled, is_open) = (Rc::clone(&filled), Rc::clone(&is_open));
            async move {
                let log = open(&runtime, 3).await;
                is_open.set(true);
                // Attempts fail for a while.
                runtime.sleep(Duration::from_secs(10)).await;
                fill(&log).await;
                log.close().await;
                filled.set(log.status().segments_used);
            }
        });
        while !opened.get() {
            world.run_until(StopAt::Poll(1));
        }
        world.set_faults(FaultConfig { fill_no_space: Chance::ALWAYS, ..FaultConfig::calm() });
        world.run_until(StopAt::Time(Duration::from_secs(8)));
        assert!(world.coverage().of("disk.fill_no_space") > 0, "seed {seed}");
        world.set_faults(FaultConfig::calm());
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
        assert_eq!(used.get() + SEGMENTS_KEPT, segment_files(&world), "seed {seed}");
    }
}

#[test]
fn where_there_is_room_again_no_append_is_told_that_there_is_none() {
    for seed in 0..8 {
        let capacity = 8 * u64::from(SEGMENT_SIZE) + (1 << 20);
        let world = World::new(seed, WorldConfig { disk_capacity: capacity, ..WorldConfig::calm() });
        let full = Rc::new(Cell::new(false));
        let is_full = Rc::clone(&full);
        world.start(1, move |runtime: SimRuntime| {
            let is_full = Rc::clone(&is_full);
            async move {
                let log = open(&runtime, 1).await;
                fill(&log).await;
                is_full.set(true);
                let mut next = 1000;
                while log.status().rolls < 16 {
                    match append(&log, next) {
                        Ok(()) => next += 1,
                        Err(AppendError::Busy) => log.ready().await.unwrap(),
                        Err(error) => {
                            assert_eq!((error, next), (AppendError::NoSpace, 1000), "after the first");
                            runtime.sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
                log.close().await;
            }
        });
        while !full.get() {
            world.run_until(StopAt::Poll(100));
        }
        world.set_disk_capacity(4 << 30);
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
    }
}
