//! The commands.

use clap::{Args, Parser, Subcommand};

use super::{ConsumeArgs, DemoArgs, DeviceArgs, GroupArgs, LogArgs, ProduceArgs, StreamsArgs, TopicArgs};

const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  failed; the reason is on standard error, for every code but 0
    2  wrong usage, or an input that says something wrong or exceeds a limit
    3  no such topic, partition, group, folder or file
    4  the data folder is in use by another process
    5  the data folder was refused, or log verify found it damaged: damage, a newer version, another number of
       shards, foreign files
    6  this machine lacks something: io_uring, locked memory, direct I/O, permission, room
   70  the disk failed while writing; nothing more was acknowledged
  130  interrupted before it was done; `streams run` without --until-idle ends so regularly, with 0

Examples:
  thalweg demo                                   count the words of this program's own sources
  thalweg demo book.txt --copies 10 --json       count a book ten times, print one JSON object
  thalweg topic create lines --partitions 2 --data ./data
  seq 1000 | thalweg produce lines --data ./data
  thalweg streams run word-count.yaml --data ./data --until-idle
  thalweg consume word-counts --data ./data --value-format i64
  thalweg log verify --data ./data               read everything, and name each damage";

/// Message broker and stream processor for one Linux machine: one durable log per core.
#[derive(Debug, Parser)]
#[command(name = "thalweg", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub struct Thalweg {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count the words of a text in a durable, exactly-once topology, and show how fast that is.
    Demo(DemoArgs),
    /// Run or look at a topology written in YAML.
    Streams(StreamsArgs),
    /// Create, list, describe and delete topics.
    Topic(TopicArgs),
    /// Append lines of standard input or of a file to a topic.
    Produce(ProduceArgs),
    /// Print the records of a topic.
    Consume(ConsumeArgs),
    /// List, describe, delete and reset groups of consumers.
    Group(GroupArgs),
    /// Look at the files of a data folder, and check them.
    Log(LogArgs),
    /// Measure the device under a folder.
    Device(DeviceArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

/// Which shell to complete for.
#[derive(Debug, Args)]
#[command(after_help = "Example: thalweg completions bash > /etc/bash_completion.d/thalweg")]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}
