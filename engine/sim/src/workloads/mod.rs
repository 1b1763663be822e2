//! Workloads, and the oracles that know what must come of them.

mod journal;
mod list;
mod log;
mod retention;
mod shards;

pub use journal::{Journal, Omission};
pub use list::all;
pub use log::LogAlone;
pub use retention::Retained;
pub use shards::Shards;
