//! The same load on one partition and on many: latency must not grow with their number. And the first fill of a log.

mod fill;
mod open_loop;
mod scenario;

pub(crate) use scenario::{PartitionsArgs, run};
