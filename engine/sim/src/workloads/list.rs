//! Every workload by name, for the command line.

use super::journal::Journal;
use super::log::LogAlone;
use super::retention::Retained;
use super::shards::Shards;
use crate::harness::Workload;

/// Every workload.
#[must_use]
pub fn all() -> Vec<Box<dyn Workload>> {
    vec![Box::new(Journal::default()), Box::new(LogAlone), Box::new(Retained), Box::new(Shards)]
}
