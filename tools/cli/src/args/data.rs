//! Which data folder, and how to open it.

use std::path::PathBuf;

use clap::Args;

/// The data folder of a command that makes one where there is none.
#[derive(Args, Clone, Debug)]
pub struct NewDataArgs {
    /// Data folder. Made if it does not exist; one process at a time may have it open.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// How many shards, if it is made.
    #[command(flatten)]
    pub shards: ShardsArgs,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArgs,
}

/// The data folder of a command that needs one.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Data folder; it must exist. One process at a time may have it open.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArgs,
}

/// Shards of a folder that is made.
#[derive(Args, Clone, Debug, Default)]
pub struct ShardsArgs {
    /// Number of shards, each a thread with a log of its own. Fixed when the folder is made.
    /// Default: one per core for a new folder, whatever it has for an old one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,
}

/// How to open a data folder.
#[derive(Args, Clone, Debug, Default)]
pub struct OpenArgs {
    /// Go through the page cache where the file system cannot do direct I/O. Still flushed before every
    /// acknowledgement, but slower.
    #[arg(long)]
    pub buffered: bool,
    /// Open a folder that was refused as damaged, and lose what can no longer be read. What is lost is told;
    /// copy the folder first.
    #[arg(long)]
    pub accept_damage: bool,
}
