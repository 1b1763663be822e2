//! Shards on a simulated machine.

mod clients;
mod common;
mod newer;
mod restart;
mod retention;
mod times;
