//! `thalweg group`.

use clap::{Args, Subcommand};

use super::DataArgs;
use super::records::{Start, parse_start};
use super::units::parse_time;

/// What to do with groups of consumers.
#[derive(Args, Debug)]
pub struct GroupArgs {
    #[command(subcommand)]
    /// The action.
    pub command: GroupCommand,
}

/// What to do with groups of consumers.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List the groups.
    List(GroupListArgs),
    /// Show a group's committed offset of each partition, and how many records lie behind it.
    Describe(GroupNameArgs),
    /// Delete a group with its committed offsets.
    Delete(GroupNameArgs),
    /// Let a group go on elsewhere in a topic.
    ResetOffsets(GroupResetArgs),
}

/// Where the groups are.
#[derive(Args, Debug)]
pub struct GroupListArgs {
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// One group.
#[derive(Args, Debug)]
pub struct GroupNameArgs {
    /// Name of the group.
    pub name: String,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where a group goes on.
#[derive(Args, Debug)]
#[command(after_help = "\
All partitions change together. The group is made if there is none; one with members is left as it is.

Examples:
  thalweg group reset-offsets readers --topic lines --to beginning --data ./data
  thalweg group reset-offsets readers --topic lines --partition 1 --to 1000 --data ./data
  thalweg group reset-offsets readers --topic lines --to-time 2026-11-24T15:00:00Z --data ./data")]
pub struct GroupResetArgs {
    /// Name of the group.
    pub name: String,
    /// Name of the topic.
    #[arg(long, value_name = "NAME")]
    pub topic: String,
    /// Of this partition only. Default: of all.
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Where it goes on in each partition: `beginning`, `end` or an offset.
    #[arg(long, value_name = "WHERE", value_parser = parse_start, required_unless_present = "to_time")]
    pub to: Option<Start>,
    /// It goes on in each partition at the first record with this timestamp or a later one: RFC 3339, or milliseconds since
    /// 1970; at the end of a partition without such a record.
    #[arg(long, value_name = "TIME", conflicts_with = "to", value_parser = parse_time, allow_hyphen_values = true)]
    pub to_time: Option<i64>,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
