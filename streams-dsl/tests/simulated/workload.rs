//! The workload: lives of a process that loads lines and counts words.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::log::LogOptions;
use thalweg_engine::shard::ShardOptions;
use thalweg_sim::World;
use thalweg_sim::harness::{Life, Run, Workload};

use crate::life::{Process, live};
use crate::oracle::Oracle;

/// Where the process is killed in some lives. With one shard there is no outbox.
const MARKS: [&str; 5] =
    ["outbox-pulled", "task-resumed", "segment-roll", "checkpoint-slice", "checkpoint-named"];

/// Word count on so many shards: one or two.
pub(crate) struct WordCount {
    pub(crate) shards: u16,
}

impl Workload for WordCount {
    fn name(&self) -> &'static str {
        if self.shards == 1 { "word-count-1" } else { "word-count-2" }
    }

    fn replay(&self, seed: u64, operations: u64) -> String {
        let program = "cargo run --profile simulate -p thalweg-streams --example simulate --";
        format!("{program} --workload {} --ops {operations} --seed {seed}", self.name())
    }

    fn kill_marks(&self) -> &'static [&'static str] {
        if self.shards == 1 { &MARKS[1..] } else { &MARKS }
    }

    fn expected(&self) -> &'static [&'static str] {
        &["crash.power", "crash.process", "streams.stopped", "task-commit-too-large", "task-resumed"]
    }

    fn begin(&self, _world: &World) -> Box<dyn Run> {
        Box::new(Counting { shards: self.shards, oracle: Rc::new(RefCell::new(Oracle::default())) })
    }
}

struct Counting {
    shards: u16,
    oracle: Rc<RefCell<Oracle>>,
}

impl Run for Counting {
    fn start(&mut self, world: &World, life: Life) {
        let process = Rc::new(Process::new(self.shards, life, options(), Rc::clone(&self.oracle)));
        world.start(self.shards, move |runtime| live(runtime, Rc::clone(&process)));
    }

    fn operations(&self) -> u64 {
        self.oracle.borrow().operations
    }
}

/// A log small enough that everything rare happens.
fn options() -> ShardOptions {
    ShardOptions {
        log: LogOptions {
            segment_size: 256 << 10,
            pool_target: 2,
            checkpoint_interval: 512 << 10,
            cache_bytes: 128 << 10,
            frame_size_target: 16 << 10,
            frame_size_max: 32 << 10,
            ..LogOptions::default()
        },
        // It would go by a wall clock that is moved between two lives.
        producer_expiry: Duration::ZERO,
        ..ShardOptions::default()
    }
}
