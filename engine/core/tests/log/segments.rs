//! Damage in segments that have ended and that a checkpoint covers: it concerns their reads only.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::inspect::list_frames;
use thalweg_engine::log::{DraftEntry, Log, ReadError};
use thalweg_engine::model::{Offset, Position, SegmentId, Sequence, StreamId};
use thalweg_sim::{BitFlip, Crash, RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::{FOLDER, SMALL_SEGMENT_SIZE as SEGMENT_SIZE, State, append_committed, small_segments};

const STREAM: StreamId = StreamId(1);

/// Batches that fill more than three segments.
const BATCHES: u64 = 60;

async fn open(runtime: SimRuntime) -> (Log<SimRuntime>, Rc<RefCell<State>>) {
    let state = Rc::new(RefCell::new(State::default()));
    let opened = Log::open(runtime, Path::new(FOLDER), small_segments(), Rc::clone(&state)).await;
    (opened.expect("the log opens").0, state)
}

async fn append(log: &Log<SimRuntime>, base: u64) {
    let entry = Entry { kind: EntryKind::Batch.raw(), subject: STREAM.0, base, count: 1, ..Entry::default() };
    let payload = vec![base as u8; 3000];
    append_committed(log, &[DraftEntry { entry, payload: &payload }]).await;
}

/// A closed log of several segments, all of which but the last have footers.
fn written() -> World {
    let world = World::new(3, WorldConfig::calm());
    world.start(1, |runtime: SimRuntime| async move {
        let (log, _) = open(runtime).await;
        for base in 0..BATCHES {
            append(&log, base).await;
        }
        log.checkpoint().await.unwrap();
        log.close().await;
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    assert!(world.coverage().of("footer-written") >= 3);
    world.crash(Crash::Power);
    world
}

fn flip(world: &World, segment: u32, position: u64) {
    let path: PathBuf = Path::new(FOLDER).join(format!("segment-{segment:08x}"));
    world.flip_bit(BitFlip { path, position, bit: 3 });
}

/// Opens the log, reads each batch by itself, appends one, and closes it; returns what reads said.
fn read_all(world: &World) -> Vec<Result<Vec<u8>, ReadError>> {
    let reads = Rc::new(RefCell::new(Vec::new()));
    let filled = Rc::clone(&reads);
    world.start(1, move |runtime: SimRuntime| {
        let filled = Rc::clone(&filled);
        async move {
            let (log, _) = open(runtime).await;
            let end = log.bounds(STREAM).unwrap().end.0;
            for base in 0..end {
                let read = log.read(STREAM, Offset(base), 1).await;
                filled.borrow_mut().push(read.map(|batches| batches[0].bytes.to_vec()));
            }
            append(&log, end).await;
            log.close().await;
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "the log goes on");
    world.crash(Crash::Power);
    reads.take()
}

/// Positions of the damage that was found; all other batches are what they were.
fn damage(reads: Vec<Result<Vec<u8>, ReadError>>) -> Vec<(SegmentId, Position)> {
    let mut found = Vec::new();
    for (base, read) in reads.into_iter().enumerate() {
        match read {
            Ok(bytes) => assert_eq!(bytes, vec![base as u8; 3000]),
            Err(ReadError::Damaged { segment, position, .. }) => found.push((segment, position)),
            Err(error) => panic!("batch {base}: {error}"),
        }
    }
    found
}

#[test]
fn a_damaged_batch_takes_none_of_those_before_it_along() {
    let world = written();
    let payload = |at: Position| u64::from(at.0) + 100;
    let first = {
        let places = Rc::new(RefCell::new(Vec::new()));
        let filled = Rc::clone(&places);
        world.start(1, move |runtime: SimRuntime| {
            let filled = Rc::clone(&filled);
            async move {
                let segment = list_frames(&runtime, Path::new(FOLDER), Sequence(3), 1);
                let frames = segment.await.unwrap();
                filled.borrow_mut().extend(frames);
            }
        });
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
        places.take()[0]
    };
    flip(&world, first.segment.0, payload(first.position) + BLOCK_SIZE as u64 / 4);
    let reads = Rc::new(RefCell::new(Vec::new()));
    let filled = Rc::clone(&reads);
    world.start(1, move |runtime: SimRuntime| {
        let filled = Rc::clone(&filled);
        async move {
            let (log, _) = open(runtime).await;
            for from in 0..BATCHES {
                let read = log.read(STREAM, Offset(from), 1 << 20).await;
                filled.borrow_mut().push(read.map(|batches| batches.len() as u64));
            }
            log.close().await;
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    let reads = reads.take();
    let damaged =
        reads.iter().position(|read| matches!(read, Err(ReadError::Damaged { .. }))).unwrap() as u64;
    assert!(damaged > 0, "{reads:?}");
    for (from, read) in reads.iter().enumerate().map(|(from, read)| (from as u64, read)) {
        match read {
            Err(_) => assert_eq!(from, damaged, "{reads:?}"),
            Ok(count) if from < damaged => assert!(from + count <= damaged, "{reads:?}"),
            Ok(count) => assert!(*count > 0, "{reads:?}"),
        }
    }
}

#[test]
fn a_damaged_footer_is_built_again_from_the_frames_and_mended() {
    let world = written();
    let last = u64::from(SEGMENT_SIZE) - BLOCK_SIZE as u64;
    flip(&world, 0, last + 40);
    flip(&world, 1, last - BLOCK_SIZE as u64 + 100);
    assert_eq!(damage(read_all(&world)), []);
    assert_eq!(world.coverage().of("footer-rebuilt"), 2);
    // They are on the disk again.
    assert_eq!(damage(read_all(&world)), []);
    assert_eq!(world.coverage().of("footer-rebuilt"), 2);
}

#[test]
fn a_damaged_footer_whose_frames_are_not_whole_fails_only_reads_of_its_segment() {
    let world = written();
    let last = u64::from(SEGMENT_SIZE) - BLOCK_SIZE as u64;
    flip(&world, 1, last + 40);
    // The header of a frame in the middle.
    flip(&world, 1, 5 * BLOCK_SIZE as u64 + 48);
    let found = damage(read_all(&world));
    assert!(!found.is_empty());
    assert!(found.iter().all(|at| *at == (SegmentId(1), Position(last as u32))), "{found:?}");
}

#[test]
fn a_damaged_header_of_an_ended_segment_without_a_footer_fails_only_reads_of_it() {
    let world = World::new(3, WorldConfig::calm());
    world.start(1, |runtime: SimRuntime| async move {
        let (log, state) = open(runtime.clone()).await;
        append(&log, 0).await;
        // One asks while the other's is made: checkpoints follow each other, and footers wait.
        for _ in 0..2 {
            let task = log.clone();
            runtime.spawn(Priority::Background, async move { while task.checkpoint().await.is_ok() {} });
            while state.borrow().begun.is_none() {
                runtime.yield_now().await;
            }
        }
        for base in 1..BATCHES {
            append(&log, base).await;
        }
    });
    assert_eq!(world.run_until(StopAt::Mark { event: "segment-roll", count: 2 }), RunEnd::Stopped);
    assert_eq!(world.run_until(StopAt::Mark { event: "checkpoint-named", count: 2 }), RunEnd::Stopped);
    assert_eq!(world.coverage().of("footer-written"), 0);
    world.crash(Crash::Power);
    flip(&world, 0, 24);
    let found = damage(read_all(&world));
    assert!(!found.is_empty());
    assert!(found.iter().all(|at| *at == (SegmentId(0), Position(0))), "{found:?}");
    assert_eq!(world.coverage().of("footer-left-out"), 1);
    assert!(world.coverage().of("footer-written") >= 1, "the segment behind it gets its own");
    // Nor does it stand in the way of the next start.
    assert_eq!(damage(read_all(&world)), found);
}
