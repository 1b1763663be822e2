//! What the scenarios on an engine have in common.

mod batches;
mod latch;
mod on_shard;
mod open;
mod open_loop;
mod room;
mod verdict;

pub(crate) use batches::batch_of_size;
pub(crate) use latch::Latch;
pub(crate) use on_shard::on_shard;
pub(crate) use open::{EngineArgs, describe, method_of, open};
pub(crate) use open_loop::{OpenTurn, Rate, append_at_rate};
pub(crate) use room::make_room;
pub(crate) use verdict::verdict;
