//! Stream processing for Thalweg.
#![forbid(unsafe_code)]

mod builder;
pub mod driver;
mod graph;
pub mod limits;
mod processor;
pub mod serdes;
mod state;
pub mod task;
mod text;
mod topology;

pub use builder::{Emitter, GroupedStream, KStream, KTable, PairEmitter, SplitStream, StreamsBuilder};
pub use driver::TestDriver;
pub use graph::TopologyError;
pub use text::{unicode_words, words};
pub use topology::{PlanOptions, SubTopology, Topology};
