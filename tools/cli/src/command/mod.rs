//! One file per command.

pub mod completions;
pub mod consume;
pub mod demo;
pub mod device;
pub mod group;
pub mod log;
pub mod produce;
pub mod streams;
pub mod topic;
