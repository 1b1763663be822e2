//! Tasks: one per sub-topology and partition.

mod error;
mod pipeline;
mod step;

pub use error::TaskError;
pub(crate) use pipeline::Pipeline;
pub use step::TaskCounters;
pub(crate) use step::{Effects, Place, Stopped, Task};
