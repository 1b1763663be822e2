//! The Thalweg engine: everything that is decided, and nothing that is done to the outside world.
//!
//! The engine is generic over one trait, [`io::Runtime`]: clock, files, mesh, randomness and spawning.
//! `thalweg-runtime` implements it over io_uring, `thalweg-sim` over a seeded simulation.
//!
//! Invariant: no clock, randomness, file or thread is used here except through [`io`]; no protocol word
//! (Kafka, AMQP, SQS) appears; there is no `unsafe`.
#![forbid(unsafe_code)]

pub mod catalog;
pub mod client;
pub mod compaction;
pub mod folder;
pub mod group;
pub mod io;
pub mod limits;
pub mod log;
pub mod model;
mod partition;
pub mod producer;
mod retention;
pub mod shard;
pub mod store;
