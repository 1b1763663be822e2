//! Runs workloads over seeds: lives of a process on one disk, ended at random points, and checked after each.

mod command;
mod drive;
mod many;
mod plan;
mod shard;
mod workload;

pub use command::command;
pub use drive::{Failure, Outcome, run_seed, run_seeds, seed_under_way, try_seed};
pub use many::{Tally, run_many};
pub use shard::ShardOpening;
pub use workload::{Life, Run, Workload};
