//! Durable appends on the shard that owns the partition: throughput, beside the device's.

mod lane;
mod scenario;
mod turn;

pub(crate) use scenario::{AppendArgs, run};
pub(crate) use turn::append_turn;
