//! From an append to a committed frame.

mod builder;
mod commit;
mod durability;
mod room;
mod tail;
mod writer;

pub(super) use commit::{commit_ready, goes_on_behind};
pub(super) use room::{Purpose, Room};
pub(super) use tail::{Tail, TailStart};
pub(super) use writer::{pump, run_writer};
