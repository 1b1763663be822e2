//! `thalweg device`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with the device under a folder.
#[derive(Args, Debug)]
pub struct DeviceArgs {
    #[command(subcommand)]
    /// The action.
    pub command: DeviceCommand,
}

/// What to do with the device under a folder.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Measure durable writes on the device under a folder, by each way of flushing.
    Probe(DeviceProbeArgs),
}

/// What to measure.
#[derive(Args, Debug)]
#[command(after_help = "\
Writes 8 MiB into four files of its own in the folder, with O_DSYNC and with fdatasync in turn, in one file and in all
at once, and removes them. Takes about two seconds. Of a data folder the result is kept: its next start flushes by the way
that was faster. It is measured without being asked when a folder is first opened, and when it was moved.

Examples:
  thalweg device probe --data ./data
  thalweg device probe --data /mnt/other --json | jq '{method, parallel_logs}'")]
pub struct DeviceProbeArgs {
    /// Any folder on the device; a data folder must not be open in another process.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Print JSON; times in microseconds.
    #[arg(long)]
    pub json: bool,
}
