//! `thalweg topic`.

use clap::{Args, Subcommand};
use thalweg_engine::catalog::CleanupPolicy;

use super::units::{parse_duration, parse_size};
use super::{DataArgs, NewDataArgs};

/// What to do with topics.
#[derive(Args, Debug)]
pub struct TopicArgs {
    #[command(subcommand)]
    /// The action.
    pub command: TopicCommand,
}

/// What to do with topics.
#[derive(Debug, Subcommand)]
pub enum TopicCommand {
    /// Create a topic.
    Create(TopicCreateArgs),
    /// List the topics.
    List(TopicListArgs),
    /// Show how long a topic's records are kept, and each partition: its shard, first offset and end.
    Describe(TopicNameArgs),
    /// Change how long a topic's records are kept, and what lets them go.
    Alter(TopicAlterArgs),
    /// Let go of the records of a partition before an offset.
    Trim(TopicTrimArgs),
    /// Delete a topic and all its records.
    Delete(TopicDeleteArgs),
}

/// Which topics to list.
#[derive(Args, Debug)]
pub struct TopicListArgs {
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// List the internal topics of topologies too.
    #[arg(long)]
    pub internal: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The topic to create.
#[derive(Args, Debug)]
#[command(after_help = "\
Records are kept for ever unless a limit is given; with both limits, each lets go of records. None goes before its limit is
reached; some stay a little longer. Time is counted from a record's append, by a clock that no step of the system's clock
moves; its timestamp does not matter. Records are let go while some program has the data folder open.

Of a compacted topic the latest record of each key stays, at its offset, and every record needs a key. One without a value
is a tombstone: once nothing else of its key is left, it stays for a while, and then goes too. Retention counts only
with the policy 'compact,delete'.

Examples:
  thalweg topic create lines --partitions 4 --data ./data
  thalweg topic create clicks --retention 7d --retention-size 5GiB --data ./data
  thalweg topic create users --cleanup-policy compact --data ./data")]
pub struct TopicCreateArgs {
    /// Name: 1 to 249 characters of [a-zA-Z0-9._-].
    pub name: String,
    /// Number of partitions.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub partitions: u32,
    /// How long records are kept.
    #[command(flatten)]
    pub retention: RetentionArgs,
    /// Whether they go by that, or as later ones of their key come.
    #[command(flatten)]
    pub cleanup: CleanupArgs,
    /// The data folder.
    #[command(flatten)]
    pub data: NewDataArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A limit, or that there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// None.
    Unlimited,
    /// This many milliseconds or bytes.
    To(u64),
}

impl Limit {
    /// The limit as settings have it.
    #[must_use]
    pub fn value(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::To(value) => Some(value),
        }
    }
}

/// How long records are kept.
#[derive(Args, Clone, Copy, Debug)]
pub struct RetentionArgs {
    /// Keep records for this long: a number with `ms`, `s`, `m`, `h` or `d`, or `forever`.
    #[arg(long, value_name = "DURATION", value_parser = parse_retention)]
    pub retention: Option<Limit>,
    /// Keep this much of each partition: bytes, or a number with `MB`, `GB`, `MiB`, `GiB`, …, or `unlimited`.
    #[arg(long, value_name = "SIZE", value_parser = parse_retention_size)]
    pub retention_size: Option<Limit>,
}

/// What lets records go.
#[derive(Args, Clone, Copy, Debug)]
pub struct CleanupArgs {
    /// What lets records go: `delete` (age and size), `compact` (a later record of the key) or `compact,delete`.
    #[arg(long, value_name = "POLICY", value_parser = parse_policy)]
    pub cleanup_policy: Option<CleanupPolicy>,
    /// Keep tombstones of a compacted topic for at least this long; 24h unless given.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub tombstone_delay: Option<u64>,
    /// Keep records of a compacted topic for at least this long, also when later ones have come; 0s unless given.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub compaction_lag: Option<u64>,
    /// Percent of a partition that has to be new before it is compacted; 50 unless given.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub compaction_dirty: Option<u8>,
}

fn parse_policy(text: &str) -> Result<CleanupPolicy, String> {
    match text {
        "delete" => Ok(CleanupPolicy::Delete),
        "compact" => Ok(CleanupPolicy::Compact),
        "compact,delete" | "delete,compact" => Ok(CleanupPolicy::CompactAndDelete),
        other => Err(format!("'{other}' is none of 'delete', 'compact' and 'compact,delete'")),
    }
}

/// What to change of a topic.
#[derive(Args, Debug)]
#[command(after_help = "\
What is not given stays as it is. See `thalweg topic create --help` for what is kept.

Examples:
  thalweg topic alter clicks --retention 12h --data ./data
  thalweg topic alter clicks --retention forever --retention-size 500MB --data ./data")]
pub struct TopicAlterArgs {
    /// Name of the topic.
    pub name: String,
    /// How long records are kept.
    #[command(flatten)]
    pub retention: RetentionArgs,
    /// Whether they go by that, or as later ones of their key come.
    #[command(flatten)]
    pub cleanup: CleanupArgs,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to let go of.
#[derive(Args, Debug)]
#[command(after_help = "Example: thalweg topic trim lines --partition 0 --before 1000 --data ./data")]
pub struct TopicTrimArgs {
    /// Name of the topic.
    pub name: String,
    /// The partition.
    #[arg(long, value_name = "N")]
    pub partition: u32,
    /// The first offset that is kept, or `end`.
    #[arg(long, value_name = "OFFSET", value_parser = parse_before)]
    pub before: Before,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Up to where records go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Before {
    /// All that there are.
    End,
    /// Those before this offset.
    Offset(u64),
}

fn parse_before(text: &str) -> Result<Before, String> {
    match text {
        "end" => Ok(Before::End),
        number => number
            .parse()
            .map(Before::Offset)
            .map_err(|_| format!("'{number}' is neither 'end' nor an offset")),
    }
}

fn parse_retention(text: &str) -> Result<Limit, String> {
    if text == "forever" { Ok(Limit::Unlimited) } else { parse_duration(text).map(Limit::To) }
}

fn parse_retention_size(text: &str) -> Result<Limit, String> {
    if text == "unlimited" { Ok(Limit::Unlimited) } else { parse_size(text).map(Limit::To) }
}

/// One topic.
#[derive(Args, Debug)]
pub struct TopicNameArgs {
    /// Name of the topic.
    pub name: String,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The topic to delete.
#[derive(Args, Debug)]
pub struct TopicDeleteArgs {
    /// Name of the topic.
    pub name: String,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Delete it even if it is an internal topic of a topology. What the topology had on its way there is lost.
    #[arg(long)]
    pub internal: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
