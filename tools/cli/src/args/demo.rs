//! `thalweg demo`.

use std::path::PathBuf;

use clap::Args;

use super::{OpenArgs, ShardsArgs};

/// What to count, and where.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Words are runs of [a-z0-9_] in the lower-cased text, counted by bytes: a text need not be UTF-8.

With --data, a demo that was killed goes on where it was when it is started again with the same text.

Examples:
  thalweg demo
  thalweg demo chapter1.txt chapter2.txt --copies 20
  zcat book.gz | thalweg demo -
  thalweg demo book.txt --data ./demo-data --shards 1 --json")]
pub struct DemoArgs {
    /// Text files, read one after the other; `-` is standard input. At most 256 MiB in all. Default: the sources of the packages that this program was
    /// built from.
    #[arg(value_name = "TEXT")]
    pub texts: Vec<PathBuf>,
    /// Read the text this many times.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub copies: u32,
    /// Data folder. Default: a new one in the current folder, removed at the end.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How many shards, if the folder is made.
    #[command(flatten)]
    pub shards: ShardsArgs,
    /// How to open the data folder.
    #[command(flatten)]
    pub open: OpenArgs,
    /// Print this many of the most frequent words.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    /// Longest time between two commits of the topology. Milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub commit_interval_ms: u64,
    /// Shortest time between two lines of progress, when standard error is not a terminal. Milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 250)]
    pub progress_interval_ms: u64,
    /// Print one JSON object on standard output instead of a report.
    #[arg(long)]
    pub json: bool,
}
