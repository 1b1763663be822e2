//! What everything above the engine calls: topics, appends, reads, groups, and the commits of stream tasks.

mod commit;
mod error;
mod groups;
mod shard_client;
mod types;

pub use crate::catalog::{CatalogError, Cleanup, CleanupPolicy, Partition, Retention, Topic, TopicSettings};
pub use crate::group::{CommittedOffset, GroupRecord, GroupSummary, OffsetCommit};
pub use commit::Commit;
pub use error::{
    AppendError, CommitError, CommitOffsetsError, DeleteGroupError, NameStoreError, ReadError,
    ReadGroupError, SetGroupRecordError, SetLogStartError,
};
pub use shard_client::{FetchedBatch, ShardClient};
pub use types::{Appended, Bounds, ProducerPosition};
