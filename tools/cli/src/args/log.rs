//! `thalweg log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with the files of a data folder.
#[derive(Args, Debug)]
pub struct LogArgs {
    #[command(subcommand)]
    /// The action.
    pub command: LogCommand,
}

/// What to do with the files of a data folder. None of it changes them.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Show what is in the files: superblock, checkpoints, segments, frames.
    Inspect(LogInspectArgs),
    /// Read everything, and name each damage with file, position and what is lost.
    #[command(after_help = "\
Nothing in the folder is changed, except for the file LOCK: no other process may have it open.

verify ends with exit code 0 if everything is what was written, and with 5 if not. What a crash leaves at the end of
a log, and nobody was told of, is no damage.

Examples:
  thalweg log verify --data ./data
  thalweg log verify --data ./data --json | jq '.shards[].damages[] | {file, position, loss}'")]
    Verify(LogFolderArgs),
    /// Show the version of the folder's format.
    #[command(after_help = "\
Ends with exit code 5 if that is newer than what this program reads. Such a folder is left as it is, by every command.

Example: thalweg log format --data ./data --json")]
    Format(LogFolderArgs),
}

/// The data folder to look at.
#[derive(Args, Debug)]
pub struct LogFolderArgs {
    /// Data folder; it must exist, and no other process may have it open.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Go through the page cache where the file system cannot do direct I/O.
    #[arg(long)]
    pub buffered: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to show.
#[derive(Args, Debug)]
#[command(after_help = "\
Nothing in the folder is changed, except for the file LOCK. Damage that is met on the way is told;
`thalweg log verify` looks for all of it.

Examples:
  thalweg log inspect --data ./data
  thalweg log inspect --data ./data --frames --from 1000 --limit 20")]
pub struct LogInspectArgs {
    /// The data folder.
    #[command(flatten)]
    pub folder: LogFolderArgs,
    /// List frames of each shard too.
    #[arg(long)]
    pub frames: bool,
    /// First frame to list.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0, requires = "frames")]
    pub from: u64,
    /// Most frames to list of each shard.
    #[arg(long, value_name = "N", default_value_t = 100, requires = "frames",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}
