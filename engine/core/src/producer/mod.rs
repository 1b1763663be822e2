//! Idempotent producers: which batches of whom a partition has already, so that a batch sent twice is
//! appended once.
//!
//! Invariant: pure state, a fold over the partition's batches in offset order.

mod table;
mod window;

pub use table::{ProducerTable, WindowRow};
pub use window::{Refusal, Verdict, Window};
