//! `thalweg topic`.

use clap::{Args, Subcommand};

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
    /// Show each partition of a topic: its shard, first offset and end.
    Describe(TopicNameArgs),
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
#[command(after_help = "Example: thalweg topic create lines --partitions 4 --data ./data")]
pub struct TopicCreateArgs {
    /// Name: 1 to 249 characters of [a-zA-Z0-9._-].
    pub name: String,
    /// Number of partitions.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub partitions: u32,
    /// The data folder.
    #[command(flatten)]
    pub data: NewDataArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
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
