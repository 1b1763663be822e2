//! The workload itself.

use std::cell::RefCell;
use std::rc::Rc;

use super::character::Character;
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
            "compaction-begun",
            "compaction-superseded",
            "compaction-pass",
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
            "compaction-begun",
            "compaction-keys-full",
            "compaction-nothing-left",
            "compaction-pass",
            "compaction-superseded",
            "compaction-tombstone-gone",
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
            "shards.compacted",
            "shards.duplicate",
            "shards.gap-read",
            "shards.group-resumed",
            "shards.tombstone-gone",
            "shards.let-go",
            "shards.let-go-under-reader",
            "shards.resumed",
            "shards.outbox-after-crash",
            "shards.commit-too-large",
            "speculation-forgotten",
            "speculation-rebuilt",
            "time-search-footer",
            "time-search-passed",
        ]
    }

    fn begin(&self, world: &World) -> Box<dyn Run> {
        let character = Character::of(&mut world.prng("shards"));
        let oracle = Oracle::new(character.sources, character.sinks, character.kept, character.delay_ms);
        Box::new(ShardsRun { character, oracle: Rc::new(RefCell::new(oracle)) })
    }
}

struct ShardsRun {
    character: Character,
    oracle: Rc<RefCell<Oracle>>,
}

impl Run for ShardsRun {
    fn start(&mut self, world: &World, life: Life) {
        let process = Rc::new(Process::new(&self.character, life, Rc::clone(&self.oracle)));
        world.start(self.character.shards, move |runtime| live(runtime, Rc::clone(&process)));
    }

    fn operations(&self) -> u64 {
        self.oracle.borrow().operations
    }
}
