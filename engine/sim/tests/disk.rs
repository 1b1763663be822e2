//! The disk: what is promised to stay stays, and what is not is lost in some seed.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::{Buffer, DiskError, File, FileKind, OpenMode, Priority, Runtime};
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_sim::{
    BitFlip, Chance, Coverage, Crash, FaultConfig, RunEnd, SimBuffer, SimFile, SimRuntime, StopAt, World,
    WorldConfig,
};

const FILE: &str = "/data/file";
const LOG: FileKind = FileKind::Log { write_through: false };
const THROUGH: FileKind = FileKind::Log { write_through: true };
const BLOCKS: usize = 4;

fn filled(byte: u8, blocks: usize) -> Rc<SimBuffer> {
    let mut buffer = SimBuffer::zeroed(blocks * BLOCK_SIZE);
    buffer.bytes_mut().fill(byte);
    Rc::new(buffer)
}

/// Marks `event` and gives the driver the time to stop there.
async fn reach(runtime: &SimRuntime, event: &'static str) {
    runtime.mark(event);
    runtime.yield_now().await;
}

/// A file of `BLOCKS` durable blocks of 1s.
async fn prepared(runtime: &SimRuntime, kind: FileKind) -> SimFile {
    let file = runtime.open(Path::new(FILE), kind, OpenMode::Create).await.unwrap();
    file.write_at(filled(1, BLOCKS), 0).await.unwrap();
    file.flush().await.unwrap();
    runtime.sync_folder(Path::new(World::DATA)).await.unwrap();
    reach(runtime, "prepared").await;
    file
}

fn calm(seed: u64) -> World {
    World::new(seed, WorldConfig::calm())
}

/// Runs `main` on one shard to `stop`, then crashes.
fn run_and_crash<T>(seed: u64, crash: Crash, stop: StopAt, main: fn(SimRuntime) -> T) -> World
where
    T: Future<Output = ()> + 'static,
{
    let world = calm(seed);
    world.start(1, main);
    world.run_until(stop);
    world.crash(crash);
    world
}

fn stop_at(event: &'static str) -> StopAt {
    StopAt::Mark { event, count: 1 }
}

/// Which bytes each block of the file begins with, over many seeds.
fn outcomes<T>(crash: Crash, event: &'static str, main: fn(SimRuntime) -> T) -> BTreeSet<Vec<u8>>
where
    T: Future<Output = ()> + 'static,
{
    (0..200)
        .map(|seed| {
            let content = run_and_crash(seed, crash, stop_at(event), main).content(Path::new(FILE)).unwrap();
            content.chunks(BLOCK_SIZE).map(|block| block[0]).collect()
        })
        .collect()
}

async fn write_unflushed(runtime: SimRuntime) {
    let file = prepared(&runtime, LOG).await;
    file.write_at(filled(2, BLOCKS), 0).await.unwrap();
    let seen = file.read_at(0, BLOCK_SIZE).await.unwrap();
    assert_eq!(seen.bytes()[0], 2, "what is not flushed is seen all the same");
    runtime.mark("written");
    runtime.sleep(Duration::from_secs(1)).await;
}

#[test]
fn unflushed_writes_are_lost_torn_or_kept_by_a_power_loss() {
    let outcomes = outcomes(Crash::Power, "written", write_unflushed);
    assert!(outcomes.contains(&vec![1; BLOCKS]), "lost in no seed: {outcomes:?}");
    assert!(outcomes.contains(&vec![2; BLOCKS]), "kept in no seed: {outcomes:?}");
    let torn = outcomes.iter().filter(|blocks| blocks.contains(&1) && blocks.contains(&2)).count();
    assert!(torn > 5, "torn in {torn} ways: {outcomes:?}");
}

#[test]
fn unflushed_writes_stay_when_only_the_process_ends_and_are_no_more_durable_for_it() {
    let after_process = outcomes(Crash::Process, "written", write_unflushed);
    assert_eq!(after_process, BTreeSet::from([vec![2; BLOCKS]]));
    let lost_later = (0..50).any(|seed| {
        let world = run_and_crash(seed, Crash::Process, stop_at("written"), write_unflushed);
        world.crash(Crash::Power);
        world.content(Path::new(FILE)).unwrap()[0] == 1
    });
    assert!(lost_later);
}

#[test]
fn flushed_writes_are_never_lost() {
    let outcomes = outcomes(Crash::Power, "flushed", |runtime| async move {
        let file = prepared(&runtime, LOG).await;
        file.write_at(filled(2, BLOCKS), 0).await.unwrap();
        file.flush().await.unwrap();
        runtime.mark("flushed");
        runtime.sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(outcomes, BTreeSet::from([vec![2; BLOCKS]]));
}

#[test]
fn writes_through_are_durable_when_they_complete() {
    let outcomes = outcomes(Crash::Power, "written", |runtime| async move {
        let file = prepared(&runtime, THROUGH).await;
        file.write_at(filled(2, BLOCKS), 0).await.unwrap();
        runtime.mark("written");
        runtime.sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(outcomes, BTreeSet::from([vec![2; BLOCKS]]));
}

#[test]
fn a_flush_does_not_cover_a_write_that_was_in_flight_when_it_was_issued() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let world = calm(seed);
        world.start(1, |runtime| async move {
            let file = prepared(&runtime, LOG).await;
            let (other, marker) = (file.clone(), runtime.clone());
            runtime.spawn(Priority::Foreground, async move {
                other.write_at(filled(2, BLOCKS), 0).await.unwrap();
                marker.mark("written");
            });
            // Under way, not yet complete.
            runtime.yield_now().await;
            file.flush().await.unwrap();
            reach(&runtime, "flushed").await;
            runtime.sleep(Duration::from_secs(1)).await;
        });
        world.run_until(stop_at("written"));
        if world.coverage().of("flushed") > 0 {
            continue;
        }
        // Complete before the flush ends, after it was issued.
        world.run_until(stop_at("flushed"));
        world.crash(Crash::Power);
        seen.insert(world.content(Path::new(FILE)).unwrap()[0]);
    }
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

#[test]
fn a_write_through_outlives_an_unflushed_one_before_it() {
    let outcomes = outcomes(Crash::Power, "written", |runtime| async move {
        let file = prepared(&runtime, LOG).await;
        file.write_at(filled(2, BLOCKS), 0).await.unwrap();
        let through = runtime.open(Path::new(FILE), THROUGH, OpenMode::Existing).await.unwrap();
        through.write_at(filled(3, BLOCKS), 0).await.unwrap();
        reach(&runtime, "written").await;
        runtime.sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(outcomes, BTreeSet::from([vec![3; BLOCKS]]));
}

#[test]
fn a_flush_covers_only_its_own_file() {
    let outcomes = outcomes(Crash::Power, "flushed", |runtime| async move {
        let file = prepared(&runtime, LOG).await;
        let other = runtime.open(Path::new("/data/other"), LOG, OpenMode::Create).await.unwrap();
        file.write_at(filled(2, BLOCKS), 0).await.unwrap();
        other.flush().await.unwrap();
        runtime.mark("flushed");
        runtime.sleep(Duration::from_secs(1)).await;
    });
    assert!(outcomes.contains(&vec![1; BLOCKS]), "lost in no seed: {outcomes:?}");
}

#[test]
fn a_write_in_flight_lands_wholly_partly_or_not_at_all() {
    for crash in [Crash::Process, Crash::Power] {
        let outcomes: BTreeSet<Vec<u8>> = (0..200)
            .map(|seed| {
                let world = calm(seed);
                world.start(1, |runtime| async move {
                    let file = prepared(&runtime, THROUGH).await;
                    file.write_at(filled(2, BLOCKS), 0).await.unwrap();
                });
                world.run_until(stop_at("prepared"));
                world.run_until(StopAt::Poll(1));
                world.crash(crash);
                let content = world.content(Path::new(FILE)).unwrap();
                content.chunks(BLOCK_SIZE).map(|block| block[0]).collect()
            })
            .collect();
        for wanted in [vec![1; BLOCKS], vec![2; BLOCKS]] {
            assert!(outcomes.contains(&wanted), "{crash:?}: {wanted:?} in no seed: {outcomes:?}");
        }
        assert!(outcomes.len() > 4, "{crash:?}: {outcomes:?}");
    }
}

#[test]
fn writes_complete_out_of_order() {
    let mut coverage = Coverage::new();
    for seed in 0..20 {
        let world = calm(seed);
        world.start(1, |runtime| async move {
            let file = prepared(&runtime, LOG).await;
            for at in 0..4 {
                let file = file.clone();
                runtime.spawn(Priority::Foreground, async move {
                    file.write_at(filled(2, 1), at * BLOCK_SIZE as u64).await.unwrap();
                });
            }
            runtime.sleep(Duration::from_millis(1)).await;
        });
        world.run_until(StopAt::Exit);
        coverage.merge(&world.coverage());
    }
    assert!(coverage.of("disk.write_out_of_order") > 10, "{coverage}");
}

#[test]
fn names_vanish_without_a_sync_of_their_folder_and_stay_with_it() {
    let exists = |sync: bool, seed| {
        let world = calm(seed);
        world.start(1, move |runtime| async move {
            let file = runtime.open(Path::new(FILE), LOG, OpenMode::Create).await.unwrap();
            file.write_at(filled(2, 1), 0).await.unwrap();
            file.flush().await.unwrap();
            if sync {
                runtime.sync_folder(Path::new(World::DATA)).await.unwrap();
            }
            runtime.mark("made");
            runtime.sleep(Duration::from_secs(1)).await;
        });
        world.run_until(stop_at("made"));
        world.crash(Crash::Power);
        world.content(Path::new(FILE)).is_some_and(|content| content == filled(2, 1).bytes())
    };
    assert!((0..50).all(|seed| exists(true, seed)));
    let kept = (0..50).filter(|&seed| exists(false, seed)).count();
    assert!((5..45).contains(&kept), "{kept} of 50");
}

#[test]
fn a_sync_that_is_overtaken_undoes_nothing() {
    async fn overtaken(runtime: SimRuntime) {
        let folder = Path::new(World::DATA);
        let other = runtime.clone();
        // Issued before the file has its name; may complete after the sync that makes it durable.
        runtime.spawn(Priority::Foreground, async move {
            other.sync_folder(folder).await.unwrap();
            other.mark("earlier");
        });
        runtime.yield_now().await;
        runtime.open(Path::new(FILE), LOG, OpenMode::Create).await.unwrap();
        runtime.sync_folder(folder).await.unwrap();
        runtime.mark("later");
        runtime.sleep(Duration::from_millis(1)).await;
        reach(&runtime, "both").await;
    }
    let mut coverage = Coverage::new();
    for seed in 0..50 {
        let world = run_and_crash(seed, Crash::Power, stop_at("both"), overtaken);
        assert!(world.durable_content(Path::new(FILE)).is_some(), "seed {seed}");
        coverage.merge(&world.coverage());
    }
    assert!(coverage.of("disk.sync_overtaken") > 0);
}

#[test]
fn a_removed_file_comes_back_without_a_sync_of_its_folder() {
    let gone = |sync: bool, seed| {
        let world = calm(seed);
        world.start(1, move |runtime| async move {
            drop(prepared(&runtime, LOG).await);
            runtime.remove(Path::new(FILE)).await.unwrap();
            assert_eq!(runtime.list_folder(Path::new(World::DATA)).await.unwrap(), Vec::<String>::new());
            if sync {
                runtime.sync_folder(Path::new(World::DATA)).await.unwrap();
            }
            runtime.mark("removed");
            runtime.sleep(Duration::from_secs(1)).await;
        });
        world.run_until(stop_at("removed"));
        world.crash(Crash::Power);
        world.content(Path::new(FILE)).is_none()
    };
    assert!((0..50).all(|seed| gone(true, seed)));
    let removed = (0..50).filter(|&seed| gone(false, seed)).count();
    assert!((5..45).contains(&removed), "{removed} of 50");
}

#[test]
fn a_folder_vanishes_with_its_files_without_a_sync_of_its_parent() {
    let exists = |sync: bool, seed| {
        let world = calm(seed);
        world.start(1, move |runtime| async move {
            let folder = Path::new("/data/shard");
            runtime.create_folder(folder).await.unwrap();
            drop(runtime.open(&folder.join("file"), LOG, OpenMode::Create).await.unwrap());
            runtime.sync_folder(folder).await.unwrap();
            if sync {
                runtime.sync_folder(Path::new(World::DATA)).await.unwrap();
            }
            runtime.mark("made");
            runtime.sleep(Duration::from_secs(1)).await;
        });
        world.run_until(stop_at("made"));
        world.crash(Crash::Power);
        !world.files().is_empty()
    };
    assert!((0..50).all(|seed| exists(true, seed)));
    let kept = (0..50).filter(|&seed| exists(false, seed)).count();
    assert!((5..45).contains(&kept), "{kept} of 50");
}

#[test]
fn an_allocated_size_is_durable_only_after_a_flush() {
    let sizes = |flush: bool| -> BTreeSet<usize> {
        (0..50)
            .map(|seed| {
                let world = calm(seed);
                world.start(1, move |runtime| async move {
                    let file = prepared(&runtime, LOG).await;
                    file.allocate(64 * BLOCK_SIZE as u64).await.unwrap();
                    assert_eq!(file.len().await.unwrap(), 64 * BLOCK_SIZE as u64);
                    if flush {
                        file.flush().await.unwrap();
                    }
                    runtime.mark("allocated");
                    runtime.sleep(Duration::from_secs(1)).await;
                });
                world.run_until(stop_at("allocated"));
                world.crash(Crash::Power);
                world.content(Path::new(FILE)).unwrap().len() / BLOCK_SIZE
            })
            .collect()
    };
    assert_eq!(sizes(true), BTreeSet::from([64]));
    assert_eq!(sizes(false), BTreeSet::from([BLOCKS, 64]));
}

#[test]
fn reads_are_short_only_where_the_file_ends_and_missing_files_are_not_found() {
    let world = World::new(
        1,
        WorldConfig {
            faults: FaultConfig {
                short_read: Chance::ALWAYS,
                short_write: Chance::ALWAYS,
                ..FaultConfig::calm()
            },
            ..WorldConfig::calm()
        },
    );
    world.start(1, |runtime| async move {
        let file = prepared(&runtime, LOG).await;
        assert_eq!(file.read_at(0, BLOCKS * BLOCK_SIZE).await.unwrap().bytes(), filled(1, BLOCKS).bytes());
        let tail = file.read_at(3 * BLOCK_SIZE as u64, 2 * BLOCK_SIZE).await.unwrap();
        assert_eq!(tail.bytes(), filled(1, 1).bytes());
        assert!(file.read_at(64 * BLOCK_SIZE as u64, BLOCK_SIZE).await.unwrap().bytes().is_empty());
        for path in ["/data/none", "/none/file"] {
            let missing = runtime.open(Path::new(path), LOG, OpenMode::Existing).await.err();
            assert_eq!(missing, Some(DiskError::NotFound { path: path.into() }));
        }
        assert!(runtime.open(Path::new("/none/file"), LOG, OpenMode::Create).await.is_err());
        assert_eq!(runtime.list_folder(Path::new("/none")).await.unwrap(), Vec::<String>::new());
        assert_eq!(runtime.list_folder(Path::new(World::DATA)).await.unwrap(), ["file"]);
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    world.coverage().assert_covered(&["disk.read_short", "disk.write_short"]);
}

#[test]
fn a_full_disk_refuses_to_grow_and_takes_writes_in_place() {
    let world = calm(1);
    world.set_disk_capacity((BLOCKS + 1) as u64 * BLOCK_SIZE as u64);
    world.start(1, |runtime| async move {
        let file = prepared(&runtime, LOG).await;
        let full = Err(DiskError::NoSpace { path: FILE.into() });
        assert_eq!(file.allocate(64 * BLOCK_SIZE as u64).await, full);
        assert_eq!(file.write_at(filled(3, 2), (BLOCKS * BLOCK_SIZE) as u64).await, full);
        assert_eq!(file.len().await.unwrap(), (BLOCKS * BLOCK_SIZE) as u64);
        file.write_at(filled(3, BLOCKS), 0).await.unwrap();
        file.write_at(filled(3, 1), (BLOCKS * BLOCK_SIZE) as u64).await.unwrap();
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    assert_eq!(world.coverage().of("disk.no_space"), 2);
    assert_eq!(world.disk_used(), (BLOCKS + 1) as u64 * BLOCK_SIZE as u64);
}

#[test]
fn flipped_bits_are_recorded_and_seen() {
    let faults = FaultConfig { bit_flip: Chance(200_000), ..FaultConfig::calm() };
    let world = World::new(1, WorldConfig { faults, ..WorldConfig::calm() });
    world.start(1, |runtime| async move {
        let file = prepared(&runtime, LOG).await;
        for _ in 0..100 {
            file.len().await.unwrap();
        }
    });
    world.run_until(StopAt::Exit);
    world.set_faults(FaultConfig::calm());
    world.flip_bit(BitFlip { path: FILE.into(), position: 5, bit: 3 });
    let flips = world.bit_flips();
    assert!(flips.len() > 5, "{flips:?}");
    assert_eq!(world.coverage().of("disk.bit_flipped"), flips.len() as u64);
    world.crash(Crash::Power);
    let mut expected = vec![1; BLOCKS * BLOCK_SIZE];
    for flip in &flips {
        expected[flip.position as usize] ^= 1 << flip.bit;
    }
    assert_eq!(world.content(Path::new(FILE)).unwrap(), expected);
}

#[test]
fn failing_operations_say_so_and_a_failed_write_leaves_any_part_of_itself() {
    let mut left = BTreeSet::new();
    for seed in 0..60 {
        let world = calm(seed);
        world.start(1, |runtime| async move {
            let file = prepared(&runtime, LOG).await;
            runtime.sleep(Duration::from_millis(1)).await;
            assert!(file.write_at(filled(2, BLOCKS), 0).await.is_err());
            assert!(file.read_at(0, BLOCK_SIZE).await.is_err());
            assert!(file.flush().await.is_err());
            assert!(file.len().await.is_err());
        });
        world.run_until(stop_at("prepared"));
        let always = Chance::ALWAYS;
        world.set_faults(FaultConfig {
            write_error: always,
            read_error: always,
            flush_error: always,
            metadata_error: always,
            ..FaultConfig::calm()
        });
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
        world.coverage().assert_covered(&[
            "disk.write_failed",
            "disk.read_failed",
            "disk.flush_failed",
            "disk.metadata_failed",
        ]);
        let content = world.content(Path::new(FILE)).unwrap();
        left.insert(content.chunks(BLOCK_SIZE).map(|block| block[0]).collect::<Vec<_>>());
    }
    assert!(left.len() > 4, "{left:?}");
}

#[test]
fn a_flush_after_a_failed_one_may_cover_nothing() {
    let lost = (0..100).any(|seed| {
        let world = calm(seed);
        world.start(1, |runtime| async move {
            let file = prepared(&runtime, LOG).await;
            file.write_at(filled(2, BLOCKS), 0).await.unwrap();
            reach(&runtime, "written").await;
            assert!(file.flush().await.is_err());
            reach(&runtime, "failed").await;
            file.flush().await.unwrap();
            runtime.mark("flushed");
            runtime.sleep(Duration::from_secs(1)).await;
        });
        world.run_until(stop_at("written"));
        world.set_faults(FaultConfig { flush_error: Chance::ALWAYS, ..FaultConfig::calm() });
        world.run_until(stop_at("failed"));
        world.set_faults(FaultConfig::calm());
        world.run_until(stop_at("flushed"));
        world.crash(Crash::Power);
        world.content(Path::new(FILE)).unwrap()[0] == 1
    });
    assert!(lost);
}

#[test]
fn new_space_may_hold_leftovers_of_removed_files() {
    let mut seen = BTreeSet::new();
    for seed in 0..20 {
        let faults = FaultConfig { stale_space: Chance(500_000), ..FaultConfig::calm() };
        let world = World::new(seed, WorldConfig { faults, ..WorldConfig::calm() });
        world.start(1, |runtime| async move {
            drop(prepared(&runtime, LOG).await);
            runtime.remove(Path::new(FILE)).await.unwrap();
            runtime.sync_folder(Path::new(World::DATA)).await.unwrap();
        });
        world.run_until(StopAt::Exit);
        world.start(1, |runtime| async move {
            let file = runtime.open(Path::new(FILE), LOG, OpenMode::Create).await.unwrap();
            file.allocate(8 * BLOCK_SIZE as u64).await.unwrap();
            let twice =
                [file.read_at(0, BLOCK_SIZE).await.unwrap(), file.read_at(0, BLOCK_SIZE).await.unwrap()];
            assert_eq!(twice[0].bytes(), twice[1].bytes());
        });
        world.run_until(StopAt::Exit);
        for block in world.content(Path::new(FILE)).unwrap().chunks(BLOCK_SIZE) {
            seen.insert(match block {
                _ if block.iter().all(|&byte| byte == 0) => "zeros",
                _ if block.iter().all(|&byte| byte == 1) => "leftover",
                _ => "garbage",
            });
        }
    }
    assert_eq!(seen, BTreeSet::from(["garbage", "leftover", "zeros"]));
}

#[test]
fn a_read_during_a_write_sees_any_blocks_of_it() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let world = calm(seed);
        world.start(1, |runtime| async move {
            let file = prepared(&runtime, LOG).await;
            let other = file.clone();
            runtime.spawn(Priority::Foreground, async move {
                other.write_at(filled(2, BLOCKS), 0).await.unwrap();
            });
            runtime.yield_now().await;
            let read = file.read_at(0, BLOCKS * BLOCK_SIZE).await.unwrap();
            let mixed = read.bytes().chunks(BLOCK_SIZE).map(|block| block[0]).collect::<BTreeSet<_>>().len();
            runtime.mark(if mixed == 2 { "mixed" } else { "whole" });
            runtime.sleep(Duration::from_secs(1)).await;
        });
        world.run_until(StopAt::Exit);
        seen.extend(world.coverage().iter().map(|(name, _)| name.to_owned()));
    }
    assert!(seen.contains("mixed") && seen.contains("whole"), "{seen:?}");
}

#[test]
fn crashes_at_any_poll_reach_every_fate_of_the_disk() {
    let mut coverage = Coverage::new();
    for seed in 0..300 {
        let world = World::new(seed, WorldConfig::swarm(seed));
        for _ in 0..3 {
            world.start(1, |runtime| async move {
                let folder = Path::new("/data/folder");
                let _ = runtime.create_folder(folder).await;
                for name in 0..4 {
                    let path = folder.join(name.to_string());
                    let Ok(file) = runtime.open(&path, LOG, OpenMode::Create).await else { continue };
                    let _ = file.allocate(32 * BLOCK_SIZE as u64).await;
                    let _ = file.write_at(filled(5, 3), 0).await;
                    let _ = runtime.sync_folder(folder).await;
                    let _ = file.flush().await;
                    let _ = runtime.remove(&path).await;
                }
            });
            let stop = world.prng("stop").range(1..40);
            if world.run_until(StopAt::Poll(stop)) == RunEnd::Stopped {
                world.crash(if world.seed().is_multiple_of(2) { Crash::Power } else { Crash::Process });
            }
        }
        coverage.merge(&world.coverage());
    }
    coverage.assert_covered(&[
        "crash.power",
        "crash.process",
        "disk.folder_lost",
        "disk.in_flight_landed",
        "disk.in_flight_lost",
        "disk.in_flight_torn",
        "disk.name_came_back",
        "disk.name_lost",
        "disk.operation_slow",
        "disk.sector_torn",
        "disk.size_lost",
        "disk.space_stale",
        "disk.volatile_kept",
        "disk.volatile_lost",
        "disk.volatile_torn",
        "disk.write_short",
    ]);
}
