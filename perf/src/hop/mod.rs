//! Hops: from one executor to another and back, and from a thread to an executor and back.

mod executors;
mod scenario;
mod thread;

pub(crate) use scenario::{HopArgs, run};
