//! The engine inside a program: open a data folder, then use it from ordinary threads and from shards.
//!
//! [`Engine::open`] starts one executor per shard-log. [`Client`] is for ordinary threads: it blocks, and
//! sends each request to the shard that owns the partition. [`Engine::on_each_shard`] runs a future on every
//! shard with that shard's [`ShardClient`](thalweg_engine::client::ShardClient), next to the data.

mod client;
mod device;
mod engine;
mod error;
mod fate;
mod message;
mod options;
mod pending;
mod service;

pub use client::Client;
pub use device::Device;
pub use engine::{Engine, EngineInfo};
pub use error::{ClosedError, OpenEngineError};
pub use options::EngineOptions;
pub use pending::Pending;
