//! The command line: what can be said, and nothing of what is done about it.

mod data;
mod demo;
mod device;
mod group;
mod log;
mod records;
mod root;
mod streams;
mod topic;
mod units;

pub use data::{DataArgs, NewDataArgs, OpenArgs, ShardsArgs};
pub use demo::DemoArgs;
pub use device::{DeviceArgs, DeviceCommand, DeviceProbeArgs};
pub use group::{GroupArgs, GroupCommand, GroupListArgs, GroupNameArgs, GroupResetArgs};
pub use log::{LogArgs, LogCommand, LogFolderArgs, LogInspectArgs};
pub use records::{ConsumeArgs, Format, LineFormat, ProduceArgs, Start};
pub use root::{Command, CompletionsArgs, Thalweg};
pub use streams::{
    StreamsArgs, StreamsCommand, StreamsDescribeArgs, StreamsResetArgs, StreamsRunArgs, StreamsTestArgs,
};
pub use topic::{
    Before, CleanupArgs, Limit, RetentionArgs, TopicAlterArgs, TopicArgs, TopicCommand, TopicCreateArgs,
    TopicDeleteArgs, TopicListArgs, TopicNameArgs, TopicTrimArgs,
};
pub use units::{duration_text, parse_duration, parse_size, parse_time, size_text};
