//! One flipped bit in what was durable: refused, noticed by the reader, or harmless. Never a loss in silence.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::limits::{BLOCK_SIZE, WRITES_IN_FLIGHT_MAX};
use thalweg_engine::log::{Log, LogOptions, OpenError, RecoveryReport};
use thalweg_engine::model::Sequence;
use thalweg_sim::harness::{Life, Run};
use thalweg_sim::{BitFlip, Crash, Prng, RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::State;
use super::workload::{Driver, FOLDER, LogRun};

const LIFE: Life = Life { number: 1, operations: 120, last: false };

/// A bit of a file, in a block that is not all zeros.
fn choose(world: &World, prng: &mut Prng) -> BitFlip {
    loop {
        let files = world.files();
        let path: PathBuf = prng.pick(&files).clone();
        let content = world.durable_content(&path).unwrap_or_default();
        if content.is_empty() {
            continue;
        }
        let block = prng.index(content.len() / BLOCK_SIZE) * BLOCK_SIZE;
        let bytes = &content[block..block + BLOCK_SIZE];
        // Where something is written, mostly: the rest of a block means nothing.
        let written: Vec<usize> = (0..BLOCK_SIZE).filter(|at| bytes[*at] != 0).collect();
        if !written.is_empty() {
            let position = (block + *prng.pick(&written)) as u64;
            return BitFlip { path, position, bit: prng.below(8) as u8 };
        }
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
    world.run_until(StopAt::Exit);
    result.take().expect("opening ends")
}

#[derive(Debug, Default)]
struct Verdicts {
    refused: u32,
    noticed: u32,
    harmless: u32,
    accepted: u32,
    unvouched: u32,
}

fn one_seed(seed: u64, verdicts: &mut Verdicts) {
    let world = World::new(seed, WorldConfig::calm());
    let mut prng = world.prng("damage");
    let mut run = LogRun::new(&world);
    run.start(&world, LIFE);
    let stop = if prng.coin() { StopAt::Exit } else { StopAt::Poll(prng.range(200..3000)) };
    let closed = world.run_until(stop) == RunEnd::Exited;
    world.crash(Crash::Power);
    forget_what_nothing_vouches_for(&run, closed);
    let flip = choose(&world, &mut prng);
    world.flip_bit(flip.clone());
    match open(&world, &run.options) {
        Ok(report) => {
            // What was lost with the power is decided here: this start may have written frames of its own.
            if report.last < run.oracle.borrow().settled {
                // The oracle has no picture of so early a moment; it only allows it.
                assert!(report.last >= run.oracle.borrow().acknowledged.get());
                verdicts.unvouched += 1;
                return;
            }
            run.oracle.borrow_mut().settle(report.last);
            let damaged = Rc::new(RefCell::new(0));
            check(&world, &run, &damaged);
            let count = *damaged.borrow();
            if count > 0 { verdicts.noticed += 1 } else { verdicts.harmless += 1 }
        }
        Err(OpenError::Damaged { file, sequence, .. }) => {
            verdicts.refused += 1;
            assert!(file == flip.path || sequence > Sequence(0), "{file:?} is blamed for {flip:?}");
            if sequence > Sequence(0) {
                accept(&world, &run.options, sequence);
                verdicts.accepted += 1;
            }
        }
        Err(error) => panic!("seed {seed}, {flip:?}: {error}"),
    }
}

/// What nothing durable knows to be acknowledged cannot be missed: of a log that was closed the frame without
/// entries at its end, of any other the frames that were in flight together with the last.
fn forget_what_nothing_vouches_for(run: &LogRun, closed: bool) {
    let oracle = run.oracle.borrow();
    let acknowledged = oracle.acknowledged.get();
    let known = if closed {
        oracle.attempts.last().map_or(oracle.settled, |attempt| attempt.sequence)
    } else {
        Sequence(acknowledged.0.saturating_sub(WRITES_IN_FLIGHT_MAX as u64 + 1))
    };
    oracle.acknowledged.set(known.min(acknowledged));
}

/// Opens the log, compares everything with the oracle, and counts the reads that notice the damage.
fn check(world: &World, run: &LogRun, damaged: &Rc<RefCell<u32>>) {
    let (options, oracle, damaged) = (run.options.clone(), Rc::clone(&run.oracle), Rc::clone(damaged));
    let prng = world.prng("check");
    world.start(1, move |runtime| {
        let (options, oracle, damaged) = (options.clone(), Rc::clone(&oracle), Rc::clone(&damaged));
        let prng = prng.fork("life");
        async move {
            let opened = Driver::open(runtime, options, oracle, prng, Life { last: true, ..LIFE }).await;
            let (mut driver, _) = opened.expect("it opened before");
            driver.tolerated = Some(damaged);
            assert!(driver.check_all().await.is_ok());
        }
    });
    world.run_until(StopAt::Exit);
}

/// An operator may go on without what is lost, and need say so only once.
fn accept(world: &World, options: &LogOptions, lost: Sequence) {
    let report = open(world, &LogOptions { accept_damage: true, ..options.clone() }).unwrap();
    assert!(report.damage_accepted.is_some());
    assert_eq!(report.last.next(), lost);
    // In its place there is a frame without entries, and perhaps what the log writes by itself.
    let report = open(world, options).unwrap();
    assert!(report.last >= lost);
    assert!(report.damage_accepted.is_none());
}

#[test]
fn a_flipped_bit_is_refused_or_noticed_or_harmless() {
    let mut verdicts = Verdicts::default();
    for seed in 0..400 {
        one_seed(seed, &mut verdicts);
    }
    println!("{verdicts:?}");
    assert!(verdicts.refused > 20, "{verdicts:?}");
    assert!(verdicts.noticed > 5, "{verdicts:?}");
    assert!(verdicts.accepted > 10, "{verdicts:?}");
}
