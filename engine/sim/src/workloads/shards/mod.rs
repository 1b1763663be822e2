//! Shards of one engine under load: idempotent loaders, tasks that count and pass on, readers that check,
//! topics that come and go, one that keeps so many bytes, and groups that commit offsets of all of them.
//!
//! Record `k` of source `i` has offset `k` and the value `i:k`, so every loss, repetition or reordering shows.
//! A task counts the records of its source by key in a store and passes each on to a sink, all in one commit;
//! most sinks lie on other shards, so the records travel through outboxes.

mod character;
mod churn;
mod compacted;
mod forget;
mod groups;
mod kept;
mod life;
mod loader;
mod oracle;
mod reader;
mod task;
mod workload;

pub use workload::Shards;
