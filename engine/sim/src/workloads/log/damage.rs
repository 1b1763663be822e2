//! One flipped bit in what is stored, on a copy of the disk: refused, noticed by the reader, or harmless. Never
//! a loss in silence.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::limits::{BLOCK_SIZE, WRITES_IN_FLIGHT_MAX};
use thalweg_engine::log::{Log, LogOptions, OpenError, RecoveryReport};
use thalweg_engine::model::Sequence;

use super::life::{Driver, FOLDER};
use super::oracle::Oracle;
use super::state::State;
use crate::disk::BitFlip;
use crate::harness::Life;
use crate::prng::Prng;
use crate::runtime::SimRuntime;
use crate::world::{RunEnd, StopAt, World};

/// Draws for a block that is not all zeros before there is none.
const DRAWS_MAX: u32 = 64;

const LIFE: Life = Life { number: 0, operations: 0, last: true };

/// Damages a copy of the disk, sees what the log makes of it, and puts the disk back.
pub(super) fn try_damage(world: &World, options: &LogOptions, oracle: &Oracle, prng: &mut Prng) {
    let Some(flip) = choose(world, prng) else { return };
    let (saved, faults) = (world.save_disk(), world.faults());
    world.set_faults(faults.without_errors());
    world.flip_bit(flip.clone());
    judge(world, options, oracle, &flip, prng);
    world.set_faults(faults);
    world.restore_disk(saved);
}

/// A bit of a file, in a block that is not all zeros.
fn choose(world: &World, prng: &mut Prng) -> Option<BitFlip> {
    let files: Vec<PathBuf> =
        world.files().into_iter().filter(|path| path.parent() == Some(Path::new(FOLDER))).collect();
    for _ in 0..DRAWS_MAX {
        let path = if files.is_empty() { return None } else { prng.pick(&files).clone() };
        let content = world.content(&path).unwrap_or_default();
        if content.len() < BLOCK_SIZE {
            continue;
        }
        let block = prng.index(content.len() / BLOCK_SIZE) * BLOCK_SIZE;
        let bytes = &content[block..block + BLOCK_SIZE];
        // Where something is written: the rest of a block means nothing.
        let written: Vec<usize> = (0..BLOCK_SIZE).filter(|at| bytes[*at] != 0).collect();
        if !written.is_empty() {
            let position = (block + *prng.pick(&written)) as u64;
            return Some(BitFlip { path, position, bit: prng.below(8) as u8 });
        }
    }
    None
}

fn judge(world: &World, options: &LogOptions, oracle: &Oracle, flip: &BitFlip, prng: &mut Prng) {
    let acknowledged = oracle.acknowledged.get();
    match open(world, options) {
        Ok(report) if report.last < oracle.settled || report.last < acknowledged => {
            // What nothing durable knows to be acknowledged cannot be missed: of frames that were in flight
            // together with the last, the last ones.
            let in_flight = WRITES_IN_FLIGHT_MAX as u64 + 1;
            let floor = acknowledged.0.saturating_sub(in_flight);
            assert!(report.last.0 >= floor, "{flip:?}: only {} of {acknowledged} is found", report.last);
            world.count("log.damage-unvouched");
        }
        Ok(report) => {
            let damaged = check(world, options, oracle, report.last, prng);
            world.count(if damaged > 0 { "log.damage-noticed" } else { "log.damage-harmless" });
        }
        Err(OpenError::Damaged { file, sequence, .. }) => {
            let is_named = file == flip.path || sequence > Sequence(0);
            assert!(is_named, "{file:?} is blamed for {flip:?}");
            world.count("log.damage-refused");
            if sequence > Sequence(0) {
                accept(world, options, sequence);
            }
        }
        Err(error) => panic!("{flip:?}: {error}: {error:?}"),
    }
}

/// Opens the log in a process of its own and ends it without closing the log.
fn open(world: &World, options: &LogOptions) -> Result<RecoveryReport, OpenError> {
    let result = Rc::new(RefCell::new(None));
    let (options, filled) = (options.clone(), Rc::clone(&result));
    world.start(1, move |runtime: SimRuntime| {
        let (options, filled) = (options.clone(), Rc::clone(&filled));
        async move {
            let state = Rc::new(RefCell::new(State::default()));
            let opened = Log::open(runtime, Path::new(FOLDER), options, state).await;
            filled.replace(Some(opened.map(|(_, report)| report)));
        }
    });
    let end = world.run_until(StopAt::Exit);
    let opened = result.take();
    opened.unwrap_or_else(|| panic!("opening ends, and not with {end:?}"))
}

/// Opens the log once more, compares everything with the oracle, and counts the reads that notice the damage.
fn check(world: &World, options: &LogOptions, oracle: &Oracle, last: Sequence, prng: &Prng) -> u32 {
    let mut oracle = oracle.fork();
    // What was lost is decided: that start may have written a frame of its own.
    oracle.settle(last);
    let (options, oracle, damaged) = (options.clone(), Rc::new(RefCell::new(oracle)), Rc::new(Cell::new(0)));
    let (prng, counted) = (prng.fork("check"), Rc::clone(&damaged));
    world.start(1, move |runtime| {
        let (options, oracle, counted) = (options.clone(), Rc::clone(&oracle), Rc::clone(&counted));
        let prng = prng.clone();
        async move {
            let opened = Driver::open(runtime, options, oracle, prng, LIFE).await;
            let (mut driver, _, _) = opened.expect("it opened before");
            driver.tolerated = Some(Rc::clone(&counted));
            if driver.check_all().await.is_err() {
                counted.set(counted.get() + 1);
            }
        }
    });
    // Damage that stands in the log's own way, as of the header of a segment that wants its footer, ends it.
    match world.run_until(StopAt::Exit) {
        RunEnd::Halted { reason, .. } => {
            assert!(reason.contains("damaged"), "nothing else fails: {reason}");
            world.count("log.damage-halted");
            damaged.set(damaged.get() + 1);
        }
        end => assert_eq!(end, RunEnd::Exited),
    }
    damaged.get()
}

/// An operator may go on without what is lost, and need say so only once.
fn accept(world: &World, options: &LogOptions, lost: Sequence) {
    let report = open(world, &LogOptions { accept_damage: true, ..options.clone() });
    let report = report.expect("damage that is accepted");
    assert!(report.damage_accepted.is_some());
    assert_eq!(report.last.next(), lost);
    let report = open(world, options).expect("it was accepted");
    assert!(report.damage_accepted.is_none());
    world.count("log.damage-accepted");
}
