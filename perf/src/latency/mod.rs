//! One small durable append at a time, beside one flushed write of the same size.

mod scenario;

pub(crate) use scenario::{LatencyArgs, run};
