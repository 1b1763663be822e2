//! One shard: the state of its partitions, its log, and the one order in which work on them happens.

mod message;

pub use message::{MeshMessage, OutboxBatch, OwnedBatch, Reply, Request};
