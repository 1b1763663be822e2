//! Workloads, and the oracles that know what must come of them.

mod journal;
mod list;
mod shards;

pub use journal::{Journal, Omission};
pub use list::all;
pub use shards::Shards;
