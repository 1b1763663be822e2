//! What a workload is.

use crate::config::WorldConfig;
use crate::world::{Crash, World};

/// One life of the simulated process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    /// The first is 1.
    pub number: u64,
    /// Operations that this life should drive before it ends by itself.
    pub operations: u64,
    /// Nothing fails and nothing is killed in this life: it must end by itself, and what it finds is final.
    /// It drives no operations.
    pub last: bool,
}

/// Something that is done to the engine, with an oracle that knows what must come of it.
pub trait Workload: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// The machine of one seed.
    fn config(&self, seed: u64) -> WorldConfig {
        WorldConfig::swarm(seed)
    }

    /// The command that runs one seed of this workload again.
    fn replay(&self, seed: u64, operations: u64) -> String {
        let name = self.name();
        format!(
            "cargo run --profile simulate -p thalweg-sim -- --workload {name} --ops {operations} --seed {seed}"
        )
    }

    /// Marks of the engine after which the process is killed in some seeds.
    fn kill_marks(&self) -> &'static [&'static str] {
        &[]
    }

    /// Names that must have been counted when many seeds have run.
    fn expected(&self) -> &'static [&'static str] {
        &[]
    }

    /// Begins a seed: an oracle that has seen nothing yet.
    fn begin(&self, world: &World) -> Box<dyn Run>;
}

/// One seed of a workload. Whatever contradicts its oracle is a [`World::fail`] or a panic.
pub trait Run {
    /// Starts the next process on `world`, with [`World::start`]. Its main tasks open the engine, check what
    /// they find against the oracle, drive about [`Life::operations`] operations, and end.
    fn start(&mut self, world: &World, life: Life);

    /// Operations that were answered, over all lives.
    fn operations(&self) -> u64;

    /// The process has been killed, or the power lost.
    fn crashed(&mut self, world: &World, crash: Crash) {
        let _ = (world, crash);
    }

    /// The last life has ended: what is left to check.
    fn finish(&mut self, world: &World) {
        let _ = world;
    }
}
