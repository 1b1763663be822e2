//! Shards on a simulated machine.

mod clients;
mod common;
mod compaction;
mod groups;
mod newer;
mod producers;
mod restart;
mod retention;
mod times;
