//! The binary as its users meet it: commands in, what they print, leave behind and end with.

mod common;
mod demo;
mod device;
mod groups;
mod log;
mod machine;
mod readme;
mod records;
mod refusals;
mod shards;
mod streams;
mod topics;
