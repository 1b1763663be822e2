//! Damage in the superblock.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::log::format::Superblock;
use thalweg_engine::log::{DraftEntry, Log, LogOptions, OpenError};
use thalweg_sim::{BitFlip, Crash, RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::{FOLDER, State};

async fn open(runtime: SimRuntime) -> Result<Log<SimRuntime>, OpenError> {
    let options = LogOptions { segment_size: 64 << 10, frame_size_max: 32 << 10, ..LogOptions::default() };
    let options = LogOptions { frame_size_target: 16 << 10, checkpoint_interval: u64::MAX, ..options };
    let state = Rc::new(RefCell::new(State::default()));
    Log::open(runtime, Path::new(FOLDER), options, state).await.map(|(log, _)| log)
}

/// Makes three checkpoints, each behind a frame of its own.
async fn make_checkpoints(runtime: SimRuntime) {
    let log = open(runtime).await.unwrap();
    for _ in 0..3 {
        let sequence = log.append(&[DraftEntry { entry: Default::default(), payload: b"frame" }]).unwrap();
        log.wait_committed(sequence).await.unwrap();
        log.checkpoint().await.unwrap();
    }
}

/// Runs until the third checkpoint is written over the first, and is not yet named; then ends the process.
fn stop_in_the_third_checkpoint(world: &World) {
    let first = Path::new(FOLDER).join("checkpoint-0");
    world.start(1, make_checkpoints);
    assert_eq!(world.run_until(StopAt::Mark { event: "checkpoint-named", count: 2 }), RunEnd::Stopped);
    let before = world.content(&first);
    while world.content(&first) == before {
        assert_eq!(world.run_until(StopAt::Poll(1)), RunEnd::Stopped);
    }
    assert_eq!(world.coverage().of("checkpoint-named"), 2);
    world.crash(Crash::Process);
}

fn open_again(world: &World) -> Option<OpenError> {
    let result = Rc::new(RefCell::new(None));
    let filled = Rc::clone(&result);
    world.start(1, move |runtime: SimRuntime| {
        let filled = Rc::clone(&filled);
        async move { *filled.borrow_mut() = open(runtime).await.err() }
    });
    world.run_until(StopAt::Exit);
    result.take()
}

#[test]
fn a_newer_block_damaged_during_a_checkpoint_is_blamed_and_not_the_checkpoint_of_the_older_one() {
    for seed in 0..10 {
        let world = World::new(seed, WorldConfig::calm());
        stop_in_the_third_checkpoint(&world);
        let path: PathBuf = Path::new(FOLDER).join("superblock");
        let content = world.content(&path).unwrap();
        let blocks = content.chunks(BLOCK_SIZE).map(|block| Superblock::decode(block).unwrap());
        let newer = blocks.max_by_key(|block| block.counter).unwrap();
        world.flip_bit(BitFlip { path: path.clone(), position: newer.position() + 40, bit: 3 });
        match open_again(&world) {
            Some(OpenError::Damaged { file, position, .. }) => {
                assert_eq!((file, position), (path, newer.position()), "seed {seed}");
            }
            other => panic!("seed {seed}: {other:?}"),
        }
    }
}
