//! The catalog: topics, their partitions, where those and the groups live, and which producer ids were given out.
//!
//! One copy per shard. Shard 0 alone plans changes ([`Catalog::plan`]) and writes them to its log; every
//! shard applies them in the order of their versions ([`Catalog::apply`]), or takes a whole catalog over.
//!
//! Invariant: pure state; no identifier is ever given twice.

mod archive;
mod change;
mod error;
mod state;
mod topic;

pub use archive::{CatalogChangeV2, CatalogChangeV3, CatalogChangeV4, CatalogV2, CatalogV3, CatalogV4};
pub use change::{CatalogAnswer, CatalogChange, CatalogRequest, CatalogVersion, Change, ProducerIdBlock};
pub use error::{CatalogDecodeError, CatalogError};
pub use state::{Applied, Catalog};
pub use topic::{Cleanup, CleanupPolicy, Partition, PlacementEpoch, Retention, Slot, Topic, TopicSettings};
