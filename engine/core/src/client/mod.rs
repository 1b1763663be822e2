//! What everything above the engine calls: topics, appends, reads, and the commits of stream tasks.

mod commit;
mod error;
mod shard_client;
mod types;

pub use crate::catalog::{CatalogError, Partition, Retention, Topic, TopicSettings};
pub use commit::Commit;
pub use error::{AppendError, CommitError, NameStoreError, ReadError, SetLogStartError};
pub use shard_client::{FetchedBatch, ShardClient};
pub use types::{Appended, Bounds, ProducerPosition};
