//! `thalweg streams`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DataArgs, NewDataArgs};

/// What to do with a topology.
#[derive(Args, Debug)]
pub struct StreamsArgs {
    #[command(subcommand)]
    /// The action.
    pub command: StreamsCommand,
}

/// What to do with a topology.
#[derive(Debug, Subcommand)]
pub enum StreamsCommand {
    /// Run a topology until interrupted, or until its input is used up.
    Run(StreamsRunArgs),
    /// Drop what a topology keeps in a data folder, so that it begins anew.
    Reset(StreamsResetArgs),
    /// Show what a topology is made of, without running it.
    Describe(StreamsDescribeArgs),
    /// Run the tests that a topology's file contains, without a data folder.
    Test(StreamsTestArgs),
}

/// The topology to run.
#[derive(Args, Debug)]
#[command(after_help = "\
Topics that the topology reads or writes and that do not exist are created. The positions in its input are kept
in the data folder under the topology's name: run again, it goes on where it was.

Example: thalweg streams run word-count.yaml --data ./data --until-idle")]
pub struct StreamsRunArgs {
    /// The topology's file.
    pub file: PathBuf,
    /// The data folder.
    #[command(flatten)]
    pub data: NewDataArgs,
    /// Stop when everything in the source topics has been processed.
    #[arg(long)]
    pub until_idle: bool,
    /// Partitions of the source topics that are created; others get as many as what feeds them has.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub partitions: u32,
    /// Longest time between two commits. Milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub commit_interval_ms: u64,
    /// Leave out records that cannot be processed, because what comes of them exceeds a limit, and say so.
    /// Without this the topology stops at such a record, and names it.
    #[arg(long)]
    pub skip_failed: bool,
    /// Print one JSON object at the end.
    #[arg(long)]
    pub json: bool,
}

/// The topology to look at.
#[derive(Args, Debug)]
#[command(after_help = "Example: thalweg streams describe word-count.yaml --mermaid")]
pub struct StreamsDescribeArgs {
    /// The topology's file.
    pub file: PathBuf,
    /// Print a Mermaid flowchart.
    #[arg(long)]
    pub mermaid: bool,
}

/// The topology to test.
#[derive(Args, Debug)]
#[command(after_help = "\
A file's tests stand under its key `tests`: records that go in, and what must come out.

Example: thalweg streams test word-count.yaml")]
pub struct StreamsTestArgs {
    /// The topology's file.
    pub file: PathBuf,
}

/// The topology to reset.
#[derive(Args, Debug)]
#[command(after_help = "\
Drops the topology's stores, its positions in its input, and its internal topics. What it wrote to other topics
stays. Run again, it reads its input from the beginning, and writes what comes of it a second time.

Example: thalweg streams reset word-count --data ./data --force")]
pub struct StreamsResetArgs {
    /// The topology's name, as its file says it.
    pub name: String,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Do it. Without this nothing is dropped.
    #[arg(long)]
    pub force: bool,
}
