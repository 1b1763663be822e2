//! The workload itself.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::log::{FlushMethod, LogOptions};
use thalweg_engine::shard::ShardOptions;

use super::life::{live, step};
use super::oracle::Oracle;
use crate::harness::{Life, Run, ShardOpening, Workload};
use crate::prng::Prng;
use crate::world::{Crash, World};

/// The workload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retained;

impl Workload for Retained {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn kill_marks(&self) -> &'static [&'static str] {
        &["checkpoint-named", "clock-step", "retention-trimmed", "retention.opened"]
    }

    fn expected(&self) -> &'static [&'static str] {
        &[
            "clock-step",
            "clock.hour_back",
            "clock.year_ahead",
            "retention-trimmed",
            "retention.ahead",
            "retention.all-gone",
            "retention.back",
            "retention.believed",
            "retention.kept-over-restart",
            "retention.kept-over-step",
            "retention.standing",
        ]
    }

    fn begin(&self, world: &World) -> Box<dyn Run> {
        let mut prng = world.prng("retention");
        let log = LogOptions {
            segment_size: 256 << 10,
            flush: if prng.coin() { FlushMethod::Flush } else { FlushMethod::WriteThrough },
            checkpoint_interval: [16 << 10, 256 << 10][prng.index(2)],
            frame_size_max: 64 << 10,
            frame_size_target: 16 << 10,
            ..LogOptions::default()
        };
        let kept = Duration::from_secs([1, 10, 60, 900][prng.index(4)]);
        let oracle = Rc::new(RefCell::new(Oracle { kept, ..Oracle::default() }));
        Box::new(RetentionRun { options: ShardOptions { log, ..ShardOptions::default() }, oracle, prng })
    }
}

struct RetentionRun {
    options: ShardOptions,
    oracle: Rc<RefCell<Oracle>>,
    /// For what is done between lives.
    prng: Prng,
}

impl Run for RetentionRun {
    fn start(&mut self, world: &World, life: Life) {
        self.oracle.borrow_mut().lives.push(world.elapsed());
        let opening = Rc::new(ShardOpening::new(1, self.options.clone()));
        let oracle = Rc::clone(&self.oracle);
        let prng = world.prng(&format!("life {}", life.number));
        world.start(1, move |runtime| {
            live(runtime, Rc::clone(&opening), Rc::clone(&oracle), prng.clone(), life)
        });
    }

    fn operations(&self) -> u64 {
        self.oracle.borrow().operations
    }

    fn crashed(&mut self, world: &World, _: Crash) {
        if self.prng.coin() {
            world.step_wall_clock(step(&mut self.prng));
        }
        if self.prng.below(4) == 0 {
            world.stop_wall_clock(self.prng.coin());
        }
    }
}
