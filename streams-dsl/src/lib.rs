//! Stream processing for Thalweg: topologies built in Rust or YAML, run as tasks next to the data.
//!
//! ```
//! use thalweg_streams::serdes::Bytes;
//! use thalweg_streams::{StreamsBuilder, TestDriver, words};
//!
//! let builder = StreamsBuilder::new();
//! builder
//!     .stream::<Bytes, Bytes>("lines")
//!     .flat_map_values(words())
//!     .group_by::<Bytes>(|_, word| word)
//!     .count("counts")
//!     .to_stream()
//!     .to("word-counts");
//! let topology = builder.build("word-count")?;
//!
//! let mut driver = TestDriver::new(topology);
//! driver.pipe_text("lines", None, "Hello hello world")?;
//! driver.commit()?;
//! assert_eq!(driver.store("counts")[&b"hello"[..]], 2i64.to_be_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | `builder` | [`StreamsBuilder`], [`KStream`], [`KTable`], [`GroupedStream`]: method names are Kafka Streams' |
//! | [`yaml`] | the same as a file |
//! | `graph` | what the builder was told, as data; what is wrong with it |
//! | `topology` | how it runs: sub-topologies between topics; as text and as a picture |
//! | `processor` | what each node does with a record |
//! | `state` | keys changed since the last commit, and the store behind them |
//! | [`task`] | one sub-topology on one partition: reading, processing, committing |
//! | [`driver`] | tasks in memory on a virtual clock, for tests |
//! | [`runner`] | tasks on a shard of an engine |
//! | [`serdes`] | formats of keys and values |
//!
//! Invariant: outputs, state changes and input positions of a task become durable in one commit or not at all,
//! so that every input counts exactly once whatever crashes when. Closures may run more than once for one input,
//! and must not have effects of their own.
#![forbid(unsafe_code)]

mod builder;
pub mod driver;
mod graph;
pub mod limits;
mod processor;
pub mod runner;
pub mod serdes;
mod state;
pub mod task;
mod text;
mod topology;
pub mod yaml;

pub use builder::{
    Emitter, EmitterParts, GroupedStream, KStream, KTable, PairEmitter, SplitStream, StreamsBuilder,
};
pub use driver::TestDriver;
pub use graph::{REPARTITION_SUFFIX, TopologyError};
pub use runner::{RunnerOptions, StreamsRunner};
pub use text::{unicode_words, words};
pub use topology::{PlanOptions, SubTopology, Topology};
