//! The workload itself.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::log::{FlushMethod, LogOptions};

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
    "log.retried",
    "log.room-again",
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
    "run.paused",
    "run.reordered",
    "run.spurious_poll",
    "run.yield_asked",
    "run.yield_late",
    "segment-recycled",
    "segment-retired",
    "segment-roll",
    "served-ahead",
    "superblock-torn",
    "torn-tail",
];

/// What is special about a seed.
struct Character {
    options: LogOptions,
    /// Segments that the disk has room for; `None` for as many as wanted.
    segments_max: Option<u64>,
    /// Quarters of a segment that there are beside them.
    more: u64,
    /// Bits are flipped between lives.
    is_damaged: bool,
    /// How often there is no room where a segment is filled.
    fill_no_space: Chance,
}

impl Character {
    fn of(seed: u64) -> Self {
        let mut prng = Prng::new(seed).fork("log");
        let segment_size = [64 << 10, 64 << 10, 128 << 10, 256 << 10][prng.index(4)];
        let frame_size_max = segment_size as usize / [2, 4][prng.index(2)];
        let mut options = LogOptions {
            segment_size,
            pool_target: prng.range(1..4) as usize,
            flush: if prng.coin() { FlushMethod::Flush } else { FlushMethod::WriteThrough },
            checkpoint_interval: [64 << 10, 300 << 10, 2 << 20, u64::MAX][prng.index(4)],
            cache_bytes: [0, 64 << 10, 1 << 20][prng.index(3)],
            frame_size_target: [4096, 16_384, frame_size_max][prng.index(3)],
            frame_size_max,
            writes_in_flight: prng.range(1..5) as usize,
            regroup_share: [1, 25, 100][prng.index(3)],
            regroup_age: Duration::from_millis([0, 100, 1_000_000][prng.index(3)]),
            run_size_min: [1, 8192, 65_536][prng.index(3)],
            ..LogOptions::default()
        };
        let segments_max = (prng.below(4) == 0).then(|| prng.range(8..16));
        let is_damaged = prng.below(3) == 0;
        let fill_no_space = Chance(if prng.below(4) == 0 { prng.range(1..300_000) as u32 } else { 0 });
        let more = prng.below(4);
        options.read_ahead_bytes = [0, 128 << 10, 1 << 20][prng.index(3)];
        Self { options, segments_max, more, is_damaged, fill_no_space }
    }
}

impl Workload for LogAlone {
    fn name(&self) -> &'static str {
        "log"
    }

    fn config(&self, seed: u64) -> WorldConfig {
        let config = WorldConfig::swarm(seed);
        let Character { options, segments_max, more, fill_no_space, .. } = Character::of(seed);
        let faults = FaultConfig { fill_no_space, ..config.faults };
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
        let Character { options, is_damaged, .. } = Character::of(world.seed());
        let (oracle, prng) = (Rc::default(), world.prng("between lives"));
        Box::new(LogRun { options, is_damaged, oracle, prng })
    }
}

/// One seed.
struct LogRun {
    options: LogOptions,
    is_damaged: bool,
    oracle: Rc<RefCell<Oracle>>,
    /// For what is done between lives.
    prng: Prng,
}

impl Run for LogRun {
    fn start(&mut self, world: &World, life: Life) {
        let (options, oracle) = (self.options.clone(), Rc::clone(&self.oracle));
        let prng = world.prng(&format!("life {}", life.number));
        world.start(1, move |runtime| live(runtime, options.clone(), Rc::clone(&oracle), prng.clone(), life));
    }

    fn operations(&self) -> u64 {
        self.oracle.borrow().operations
    }

    fn crashed(&mut self, world: &World, _: Crash) {
        self.oracle.borrow_mut().forger.look_at(world, Path::new(FOLDER), &mut self.prng);
        if self.is_damaged && self.prng.coin() {
            let oracle = self.oracle.borrow().fork();
            try_damage(world, &self.options, &oracle, &mut self.prng);
        }
    }
}
