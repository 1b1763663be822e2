//! The typed builder: method names are Kafka Streams' in snake case.

mod emitter;
mod grouped;
mod split;
mod stream;
mod streams_builder;
mod table;

pub use emitter::{Emitter, EmitterParts, PairEmitter};
pub use grouped::GroupedStream;
pub use split::SplitStream;
pub use stream::KStream;
pub use streams_builder::StreamsBuilder;
pub use table::KTable;
