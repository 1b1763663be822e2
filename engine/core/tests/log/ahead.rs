//! Reading ahead: whoever goes through a stream from the disk finds what comes next in memory, and only what is true.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::{DraftEntry, Log, LogOptions, LogStatus};
use thalweg_engine::model::{Offset, StreamId};
use thalweg_sim::{RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::{FOLDER, State, append_committed, small_segments};

const BATCHES: u64 = 400;
const SIZE: usize = 500;

fn options(read_ahead_bytes: usize) -> LogOptions {
    LogOptions { read_ahead_bytes, ..small_segments() }
}

async fn open(runtime: SimRuntime, options: LogOptions) -> Log<SimRuntime> {
    let state = Rc::new(RefCell::new(State::default()));
    Log::open(runtime, Path::new(FOLDER), options, state).await.expect("the log opens").0
}

fn payload(stream: u64, base: u64) -> Vec<u8> {
    [stream.to_le_bytes(), base.to_le_bytes()].concat().repeat(SIZE / 16)
}

async fn append(log: &Log<SimRuntime>, stream: u64, base: u64) {
    let entry = Entry { kind: EntryKind::Batch.raw(), subject: stream, base, count: 1, ..Entry::default() };
    append_committed(log, &[DraftEntry { entry, payload: &payload(stream, base) }]).await;
}

async fn trim(log: &Log<SimRuntime>, stream: u64, base: u64) {
    let entry = Entry { kind: EntryKind::LogStart.raw(), subject: stream, base, ..Entry::default() };
    append_committed(log, &[DraftEntry { entry, payload: &[] }]).await;
}

/// Reads once, checks what comes, and returns where it ended.
async fn read_on(log: &Log<SimRuntime>, stream: u64, from: u64) -> u64 {
    let batches = log.read(StreamId(stream), Offset(from), 2 * SIZE).await.unwrap();
    for (number, batch) in batches.iter().enumerate() {
        assert_eq!(batch.base.0, from + number as u64);
        assert!(*batch.bytes == *payload(stream, batch.base.0), "batch {} of {stream}", batch.base);
    }
    from + batches.len() as u64
}

/// Writes `streams` streams side by side, then runs `script` on the log opened anew.
fn run<F: Future<Output = ()>>(
    options: LogOptions,
    streams: u64,
    script: impl Fn(Log<SimRuntime>) -> F + Clone + 'static,
) -> World {
    let world = World::new(3, WorldConfig::calm());
    world.start(1, move |runtime: SimRuntime| {
        let (options, script) = (options.clone(), script.clone());
        async move {
            let log = open(runtime.clone(), options.clone()).await;
            for base in 0..BATCHES {
                for stream in 0..streams {
                    append(&log, stream, base).await;
                }
            }
            log.close().await;
            let log = open(runtime, options).await;
            script(log.clone()).await;
            log.close().await;
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    world
}

/// Two readers go through two streams side by side; returns what the log counted.
fn read_through(read_ahead_bytes: usize) -> (LogStatus, World) {
    let status = Rc::new(RefCell::new(None));
    let sink = Rc::clone(&status);
    let world = run(options(read_ahead_bytes), 2, move |log| {
        let sink = Rc::clone(&sink);
        async move {
            let mut at = [0, 0];
            while at != [BATCHES; 2] {
                for (stream, at) in at.iter_mut().enumerate().filter(|(_, at)| **at < BATCHES) {
                    *at = read_on(&log, stream as u64, *at).await;
                }
            }
            sink.replace(Some(log.status()));
        }
    });
    (status.take().unwrap(), world)
}

#[test]
fn who_reads_on_finds_nearly_all_of_it_in_memory() {
    let (without, world) = read_through(0);
    assert_eq!((without.cache_hits, without.cache_misses), (0, 2 * BATCHES));
    assert_eq!(world.coverage().of("read-ahead"), 0);
    let (with, world) = read_through(1 << 20);
    assert_eq!(with.cache_hits + with.cache_misses, 2 * BATCHES);
    assert!(with.cache_misses <= 2 * BATCHES / 10, "{} from the disk", with.cache_misses);
    let reads = world.coverage().of("read-ahead");
    assert!(reads > 0 && reads < BATCHES / 10, "{reads} times ahead for {BATCHES} reads");
    assert!(with.ahead_bytes <= 1 << 20);
}

#[test]
fn who_reads_here_and_there_has_nothing_read_ahead() {
    let world = run(options(1 << 20), 1, |log| async move {
        for number in 0..BATCHES {
            read_on(&log, 0, (number * 37) % (BATCHES - 2)).await;
        }
        assert_eq!(log.status().ahead_bytes, 0);
    });
    assert_eq!(world.coverage().of("read-ahead"), 0);
}

#[test]
fn what_was_read_ahead_and_let_go_since_is_not_served() {
    let world = run(options(1 << 20), 1, |log| async move {
        let mut at = 0;
        while log.status().ahead_bytes == 0 {
            at = read_on(&log, 0, at).await;
            assert!(at < BATCHES / 2, "something lies ahead");
        }
        trim(&log, 0, at + 100).await;
        let error = log.read(StreamId(0), Offset(at), 2 * SIZE).await.unwrap_err();
        assert!(error.to_string().contains(&format!("outside of {}", at + 100)), "{error}");
        // Segments are used again, and hold other batches where those were.
        trim(&log, 0, BATCHES).await;
        for base in BATCHES..2 * BATCHES {
            append(&log, 0, base).await;
            if base % 50 == 0 {
                log.checkpoint().await.unwrap();
            }
        }
        assert!(log.status().segments_recycled > 0);
        let mut at = BATCHES;
        while at < 2 * BATCHES {
            at = read_on(&log, 0, at).await;
        }
    });
    assert!(world.coverage().of("served-ahead") > 0);
}

#[test]
fn memory_for_what_is_read_ahead_is_bounded_whoever_goes_away() {
    run(options(256 << 10), 20, |log| async move {
        for stream in 0..20 {
            let mut at = 0;
            for _ in 0..3 {
                at = read_on(&log, stream, at).await;
            }
            let held = log.status().ahead_bytes;
            assert!(held <= 256 << 10, "{held} bytes");
        }
    });
}
