//! The same load on one partition and on many: latency must not grow with their number. And the first fill of a log.

mod fill;
mod scenario;

pub(crate) use scenario::{PartitionsArgs, run};
