//! The workload itself.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::limits::BLOCK_SIZE;

use super::character::Character;
use super::damage::try_damage;
use super::life::{FOLDER, live};
use super::oracle::Oracle;
use crate::config::{Chance, FaultConfig, WorldConfig};
use crate::harness::{Life, Run, Workload};
use crate::prng::Prng;
use crate::world::{Crash, World};

/// The workload.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogAlone;

/// Faults and paths that many seeds together reach.
const EXPECTED: &[&str] = &[
    "busy",
    "busy-reclaiming",
    "checkpoint-begun",
    "checkpoint-named",
    "checkpoint-no-space",
    "checkpoint-room",
    "checkpoint-slice",
    "clock.wall_ahead",
    "clock.wall_back",
    "clock.wall_stopped",
    "closed-without-room",
    "crash.power",
    "crash.process",
    "damage",
    "disk.bit_flipped",
    "disk.file_slow",
    "disk.fill_no_space",
    "disk.flush_failed",
    "disk.in_flight_landed",
    "disk.in_flight_lost",
    "disk.in_flight_torn",
    "disk.metadata_failed",
    "disk.name_lost",
    "disk.no_space",
    "disk.operation_slow",
    "disk.read_failed",
    "disk.read_short",
    "disk.read_stuck",
    "disk.sector_torn",
    "disk.size_lost",
    "disk.space_stale",
    "disk.volatile_kept",
    "disk.volatile_lost",
    "disk.volatile_torn",
    "disk.write_failed",
    "disk.write_out_of_order",
    "disk.write_short",
    "dry-roll",
    "fail-stop",
    "footer-read",
    "footer-rebuilt",
    "footer-written",
    "idle-frame",
    "leftover-frame",
    "log.damage-accepted",
    "log.damage-harmless",
    "log.damage-noticed",
    "log.damage-refused",
    "log.damage-unvouched",
    "log.forged",
    "log.full",
    "log.read-before-let-go",
    "log.read-let-go",
    "log.retried",
    "log.room-again",
    "log.settled",
    "no-space",
    "out-of-order-completion",
    "process.halted",
    "read-ahead",
    "read-damaged",
    "read-from-cache",
    "read-from-disk",
    "regroup-begun",
    "regroup-committed",
    "regroup-cut",
    "regroup-damaged-source",
    "regroup-given-up",
    "regroup-no-room",
    "regroup-source-used-again",
    "run.paused",
    "run.reordered",
    "run.spurious_poll",
    "run.yield_asked",
    "run.yield_late",
    "segment-held",
    "segment-recycled",
    "segment-retired",
    "segment-roll",
    "served-ahead",
    "superblock-torn",
    "torn-tail",
];

impl Workload for LogAlone {
    fn name(&self) -> &'static str {
        "log"
    }

    fn config(&self, seed: u64) -> WorldConfig {
        let config = WorldConfig::swarm(seed);
        let Character { options, mix, segments_max, more, fill_no_space, .. } = Character::of(seed);
        let mut faults = FaultConfig { fill_no_space, ..config.faults };
        if mix.chase {
            // Some of the files that batches are moved into.
            (faults.slow_file, faults.slow_file_max) = (Chance(300_000), Duration::from_millis(20));
        }
        // Beside the superblock and the segments there is anything from no room to that for another segment.
        let size = u64::from(options.segment_size);
        let beside = 2 * BLOCK_SIZE as u64 + more * size / 4;
        let disk_capacity = segments_max.map_or(config.disk_capacity, |most| most * size + beside);
        WorldConfig { disk_capacity, faults, ..config }
    }

    fn kill_marks(&self) -> &'static [&'static str] {
        &[
            "checkpoint-begun",
            "checkpoint-named",
            "checkpoint-slice",
            "dry-roll",
            "footer-written",
            "log.forged",
            "log.full",
            "log.opened",
            "log.retried",
            "log.room-again",
            "regroup-begun",
            "regroup-committed",
            "segment-recycled",
            "segment-retired",
            "segment-roll",
        ]
    }

    fn expected(&self) -> &'static [&'static str] {
        EXPECTED
    }

    fn begin(&self, world: &World) -> Box<dyn Run> {
        let (oracle, prng) = (Rc::default(), world.prng("between lives"));
        Box::new(LogRun { character: Character::of(world.seed()), oracle, prng })
    }
}

/// One seed.
struct LogRun {
    character: Character,
    oracle: Rc<RefCell<Oracle>>,
    /// For what is done between lives.
    prng: Prng,
}

impl Run for LogRun {
    fn start(&mut self, world: &World, life: Life) {
        let (character, oracle) = (self.character.clone(), Rc::clone(&self.oracle));
        let prng = world.prng(&format!("life {}", life.number));
        world.start(1, move |runtime| {
            live(runtime, character.clone(), Rc::clone(&oracle), prng.clone(), life)
        });
    }

    fn operations(&self) -> u64 {
        self.oracle.borrow().operations
    }

    fn crashed(&mut self, world: &World, _: Crash) {
        self.oracle.borrow_mut().forger.look_at(world, Path::new(FOLDER), &mut self.prng);
        if self.character.is_damaged && self.prng.coin() {
            let oracle = self.oracle.borrow().fork();
            try_damage(world, &self.character, &oracle, &mut self.prng);
        }
    }
}
