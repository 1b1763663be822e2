//! Groups of consumers: the offsets that they have committed, and a record that a coordinator keeps of each.
//!
//! A group lives on the shard-log that its coordinator slot is placed on. It is there while it has a committed offset or a
//! record. Partitions are named by their ids, which are never given twice: who makes a topic anew inherits nothing.
//!
//! Invariants: pure state, a fold over frames (`table`), with what is decided and not committed beside it (`ahead`); what
//! a commit names becomes durable together or not at all; nothing expires but by a frame that says so.

mod ahead;
mod archive;
mod expiry;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use ahead::{Ahead, Effect, GroupsAhead};
pub use archive::{GroupRecordV1, GroupsV1, OffsetsV1};
pub(crate) use expiry::{Expired, ExpiryCursor};
pub(crate) use table::{Group, GroupTable, GroupsCursor};
pub use types::{CommittedOffset, GroupRecord, GroupSummary, OffsetCommit};
