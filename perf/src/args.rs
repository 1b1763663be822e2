//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::append::AppendArgs;
use crate::bed::EngineArgs;
use crate::floor::FloorArgs;
use crate::hop::HopArgs;
use crate::latency::LatencyArgs;
use crate::partitions::PartitionsArgs;
use crate::read_back::ReadBackArgs;
use crate::restart::{ChildArgs, RestartArgs};
use crate::session::ROUNDS_MIN;
use crate::word_count::WordCountArgs;

/// Benchmarks of Thalweg, each beside the device's own floor in the same run.
#[derive(Debug, Parser)]
#[command(name = "thalweg-perf", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// Options of every scenario.
#[derive(Args, Debug)]
pub(crate) struct CommonArgs {
    /// Folder on the device to be measured; files are made in a folder of its own in it, and removed [default:
    /// the one that holds this program]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
    /// Rounds of every comparison, at least 5
    #[arg(long, value_name = "N", default_value_t = ROUNDS_MIN as u64, global = true,
          value_parser = clap::value_parser!(u64).range(ROUNDS_MIN as u64..=99))]
    pub(crate) rounds: u64,
    /// Length of one contestant's turn in one round, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000, global = true,
          value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub(crate) turn_ms: u64,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// File to which one JSON line is appended [default: perf/latency/history.jsonl in the sources]
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "no_history")]
    pub(crate) history: Option<PathBuf>,
    /// Do not write the run down
    #[arg(long, global = true)]
    pub(crate) no_history: bool,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// The device's floor: durable writes one at a time, through our runtime and by fio
    Floor(FloorArgs),
    /// Messages between executors, and between a thread and an executor
    Hop(HopArgs),
    /// Throughput of durable appends on the shard that owns the partition, beside the floor
    Append(AppendArgs),
    /// One durable append of 4 KiB at a time, beside one flushed write of 4 KiB
    Latency(LatencyArgs),
    /// From exec to the first read and the first durable append, after kills amid appends to a full folder
    Restart(RestartArgs),
    /// Word count from a topic to a topic, durable and exactly once, beside the same counting in memory
    WordCount(WordCountArgs),
    /// The same load on one partition and on a thousand, and the first fill of a log
    Partitions(PartitionsArgs),
    /// One partition of many read back, before and after its batches were moved together, beside a file of its own
    ReadBack(ReadBackArgs),
    /// All of the above, one after the other, as one run
    All(AllArgs),
    /// What the restart scenario starts and kills
    #[command(hide = true)]
    RestartChild(ChildArgs),
}

/// Options of a run of everything.
#[derive(Args, Clone, Debug)]
pub(crate) struct AllArgs {
    /// A tenth of the data for the restart and the word count: to see that everything runs, not to compare
    #[arg(long)]
    pub(crate) quick: bool,
}
