//! State stores of stream tasks: bytes to bytes, in memory, durable through the log and its checkpoints.
//!
//! Invariants: a store changes only by absolute values, so that a change applied twice changes nothing;
//! taking a checkpoint in slices never stops changes, and no single change rehashes the whole.

mod archive;
mod entry;
mod table;

pub use archive::StoreRowsV1;
pub use table::{Cursor, StoreTable};
