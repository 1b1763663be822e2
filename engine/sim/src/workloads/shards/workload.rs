//! The workload itself.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::log::{FlushMethod, LogOptions};
use thalweg_engine::shard::ShardOptions;

use super::life::{Process, live};
use super::oracle::Oracle;
use crate::harness::{Life, Run, Workload};
use crate::world::World;

/// The workload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shards;

impl Workload for Shards {
    fn name(&self) -> &'static str {
        "shards"
    }

    fn kill_marks(&self) -> &'static [&'static str] {
        &[
            "outbox-pulled",
            "outbox-trimmed",
            "outbox-dropped",
            "duplicate-batch",
            "retention-trimmed",
            "offsets-of-deleted",
            "catalog-gap",
            "segment-roll",
            "checkpoint-begun",
            "checkpoint-slice",
            "checkpoint-named",
            "shards.opened",
        ]
    }

    fn expected(&self) -> &'static [&'static str] {
        &[
            "append-waits",
            "clock-step",
            "catalog-gap",
            "catalog-refreshed",
            "disk.folder_lost",
            "disk.sync_overtaken",
            "duplicate-batch",
            "folder-complete",
            "mesh.reordered",
            "no-credit",
            "offsets-expired",
            "offsets-of-deleted",
            "outbox-dropped",
            "outbox-pulled",
            "outbox-split",
            "outbox-trimmed",
            "retention-trimmed",
            "shards.commit-to-deleted",
            "shards.duplicate",
            "shards.group-resumed",
            "shards.let-go",
            "shards.let-go-under-reader",
            "shards.resumed",
            "shards.outbox-after-crash",
            "shards.commit-too-large",
            "speculation-forgotten",
            "time-search-footer",
            "time-search-passed",
        ]
    }

    fn begin(&self, world: &World) -> Box<dyn Run> {
        let mut prng = world.prng("shards");
        let shards = 1 + prng.index(3) as u16;
        let (sources, sinks) = (1 + prng.index(3), 1 + prng.index(4));
        let segment_size = 256 << 10;
        let frame_size_max = [32 << 10, 64 << 10, 128 << 10][prng.index(3)];
        let log = LogOptions {
            segment_size,
            pool_target: 1 + prng.index(3),
            flush: if prng.coin() { FlushMethod::Flush } else { FlushMethod::WriteThrough },
            checkpoint_interval: [64 << 10, 256 << 10, 1 << 20][prng.index(3)],
            cache_bytes: [0, 64 << 10, 1 << 20][prng.index(3)],
            frame_size_target: [4 << 10, 16 << 10, 32 << 10][prng.index(3)],
            frame_size_max,
            writes_in_flight: 1 + prng.index(6),
            ..LogOptions::default()
        };
        let oracle = Oracle::new(sources, sinks, [1, 10_000, 200_000][prng.index(3)]);
        let log = LogOptions { read_ahead_bytes: [0, 128 << 10, 1 << 20][prng.index(3)], ..log };
        let options = ShardOptions {
            log,
            // What goes by these would go by a wall clock that is moved between two lives; other tests have them.
            offsets_retention: Duration::MAX,
            producer_expiry: Duration::ZERO,
        };
        Box::new(ShardsRun { shards, options, oracle: Rc::new(RefCell::new(oracle)) })
    }
}

struct ShardsRun {
    shards: u16,
    options: ShardOptions,
    oracle: Rc<RefCell<Oracle>>,
}

impl Run for ShardsRun {
    fn start(&mut self, world: &World, life: Life) {
        let process = Rc::new(Process::new(self.shards, life, self.options.clone(), Rc::clone(&self.oracle)));
        world.start(self.shards, move |runtime| live(runtime, Rc::clone(&process)));
    }

    fn operations(&self) -> u64 {
        self.oracle.borrow().operations
    }
}
