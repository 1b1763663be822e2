//! Shards on a simulated machine.

mod clients;
mod common;
mod groups;
mod newer;
mod restart;
mod retention;
mod times;
