//! One flipped bit in what is stored, on a copy of the disk: refused, noticed by the reader, or harmless. Never
//! a loss in silence.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::log::format::{FooterTrailer, FrameHeader, SegmentHeader};
use thalweg_engine::log::{Log, LogOptions, OpenError, RecoveryReport};
use thalweg_engine::model::{LogId, Sequence};

use super::character::Character;
use super::life::{Driver, FOLDER, Tolerated, segment_path};
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
pub(super) fn try_damage(world: &World, character: &Character, oracle: &Oracle, prng: &mut Prng) {
    let Some(flip) = choose(world, oracle.promised.get().newest, prng) else { return };
    let (saved, faults) = (world.save_disk(), world.faults());
    world.set_faults(faults.without_errors());
    world.flip_bit(flip.clone());
    judge(world, character, oracle, &flip, prng);
    world.set_faults(faults);
    world.restore_disk(saved);
}

/// A bit of a file, in a block that is not all zeros; often in the newest frame, which little can vouch for.
fn choose(world: &World, newest: Option<FrameHeader>, prng: &mut Prng) -> Option<BitFlip> {
    let files: Vec<PathBuf> =
        world.files().into_iter().filter(|path| path.parent() == Some(Path::new(FOLDER))).collect();
    for _ in 0..DRAWS_MAX {
        let path = if files.is_empty() { return None } else { prng.pick(&files).clone() };
        let (path, blocks) = match newest {
            Some(frame) if prng.below(4) == 0 => {
                let first = frame.position.0 as usize / BLOCK_SIZE;
                (segment_path(frame.segment), first..first + frame.length as usize / BLOCK_SIZE)
            }
            _ => (path, 0..usize::MAX),
        };
        let content = world.content(&path).unwrap_or_default();
        let blocks = blocks.start..blocks.end.min(content.len() / BLOCK_SIZE);
        if blocks.is_empty() {
            continue;
        }
        let block = (blocks.start + prng.index(blocks.len())) * BLOCK_SIZE;
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

fn judge(world: &World, character: &Character, oracle: &Oracle, flip: &BitFlip, prng: &mut Prng) {
    let options = &character.options;
    let promised = oracle.promised.get();
    let is_in_footer = is_in_footer(world, flip);
    match open(world, options) {
        Ok(report) if report.last < promised.acknowledged => {
            // What nothing durable knows to be acknowledged cannot be missed.
            assert!(
                report.last >= promised.vouched,
                "{flip:?}: only {} of {promised:?} is found",
                report.last
            );
            world.count("log.damage-unvouched");
        }
        Ok(report) => {
            let damaged = check(world, character, oracle, report.last, flip, prng);
            // The frames that a footer is built from again are whole: one bit was flipped.
            assert!(damaged == 0 || !is_in_footer, "{damaged} reads notice {flip:?} in a footer");
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

/// Whether the bit lies in the footer of a segment, in that of the file's present life.
fn is_in_footer(world: &World, flip: &BitFlip) -> bool {
    let content = world.content(&flip.path).unwrap_or_default();
    let Some(last) = content.len().checked_sub(BLOCK_SIZE) else { return false };
    let mut content = content;
    content[flip.position as usize] ^= 1 << flip.bit;
    let trailer = &content[last..];
    let log = LogId(u64::from_le_bytes(content[16..24].try_into().expect("eight bytes")));
    let (Ok(header), Ok(trailer)) =
        (SegmentHeader::decode(&content, log), FooterTrailer::decode(trailer, log))
    else {
        return false;
    };
    header.generation == trailer.generation && flip.position >= u64::from(trailer.archive_position.0)
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
///
/// Only the file with the flipped bit may be damaged: nothing was lost, so all others are as the log left them.
fn check(
    world: &World,
    character: &Character,
    oracle: &Oracle,
    last: Sequence,
    flip: &BitFlip,
    prng: &Prng,
) -> u32 {
    let mut oracle = oracle.fork();
    // What was lost is decided: that start may have written a frame of its own.
    oracle.settle(last);
    let (character, oracle, damaged) =
        (character.clone(), Rc::new(RefCell::new(oracle)), Rc::new(Cell::new(0)));
    let (prng, counted) = (prng.fork("check"), Rc::clone(&damaged));
    let file = flip.path.clone();
    world.start(1, move |runtime| {
        let (character, oracle, counted) = (character.clone(), Rc::clone(&oracle), Rc::clone(&counted));
        let (prng, file) = (prng.clone(), file.clone());
        async move {
            let opened = Driver::open(runtime, character, oracle, prng, LIFE).await;
            let (mut driver, _, _) = opened.expect("it opened before");
            driver.reads.tolerated = Some(Tolerated { file, reads: Rc::clone(&counted) });
            assert!(driver.reads.check_all().await.is_ok(), "the log goes on");
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    damaged.get()
}

/// An operator may go on without what is lost, and need say so only once.
fn accept(world: &World, options: &LogOptions, lost: Sequence) {
    let report = open(world, &LogOptions { accept_damage: true, ..options.clone() });
    let report = report.expect("damage that is accepted");
    assert!(report.damage_accepted.is_some());
    assert_eq!(report.last.next(), lost);
    // In its place there is a frame without entries, and perhaps what the log writes by itself.
    let report = open(world, options).expect("it was accepted");
    assert!(report.last >= lost, "{lost} is lost again");
    assert!(report.damage_accepted.is_none());
    world.count("log.damage-accepted");
}
