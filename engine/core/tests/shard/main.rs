//! Shards on a simulated machine.

mod clients;
mod common;
mod restart;
mod retention;
mod times;
