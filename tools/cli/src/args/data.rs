//! Which data folder, and how to open it.

use std::path::PathBuf;

use clap::Args;

/// The data folder of a command.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Data folder. Made if it does not exist; one process at a time may have it open.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// How to open the data folder.
    #[command(flatten)]
    pub open: OpenArgs,
}

/// How to open a data folder.
#[derive(Args, Clone, Debug, Default)]
pub struct OpenArgs {
    /// Number of shards, each a thread with a log of its own. Fixed when the folder is made.
    /// Default: one per core for a new folder, whatever it has for an old one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,
    /// Go through the page cache where the file system cannot do direct I/O. Still flushed before every
    /// acknowledgement, but slower.
    #[arg(long)]
    pub buffered: bool,
}
