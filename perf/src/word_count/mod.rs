//! Word count from a topic to a topic, durable and exactly once, beside the same counting in memory.

mod count;
mod durable;
mod in_memory;
mod output;
mod scenario;
mod source;
mod text;
mod timeline;
mod zipf;

pub(crate) use scenario::{WordCountArgs, run};
