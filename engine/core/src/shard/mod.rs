//! One shard: the state of its partitions, its log, and the one order in which work on them happens.
//!
//! Everything that changes the state passes through one synchronous step (`submit`), which decides on
//! speculative state and puts entries into the log's open frame. The committed state is a fold over frames
//! (`state`), checkpointed in slices (`slices`). Other shards ask through the mesh (`calls`, `serve`);
//! `control` is the catalog between shards, `outbox` the way of records between them, `group` and `group_route` are the groups.
//!
//! Invariants: answers to clients and other shards tell of committed frames only; the pump of the mesh never
//! waits; no borrow of the state is held across an `.await`.

mod calls;
mod compaction;
mod control;
mod group;
mod group_message;
mod group_route;
mod inner;
mod look;
mod message;
mod open;
mod outbox;
mod read;
mod retention;
mod route;
mod serve;
mod slices;
mod speculation;
mod state;
mod submit;
mod time;
mod wake;

pub use group_message::{GroupReply, GroupRequest};
pub use inner::{Compacted, Shard};
pub(crate) use look::ShardContents;
pub use message::{MeshMessage, OutboxBatch, OwnedBatch, Reply, Request};
pub use open::{OpenError, ShardOptions};
pub(crate) use wake::Waiters;
