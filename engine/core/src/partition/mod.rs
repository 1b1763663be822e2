//! One partition: what is committed of it, what comes next, and who waits for it.

mod state;

pub(crate) use state::PartitionState;
