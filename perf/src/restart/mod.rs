//! From `exec` to the first read and the first durable append, after a kill amid appends to a full folder.

mod child;
mod process;
mod saying;
mod scenario;

pub(crate) use child::{ChildArgs, run as run_child};
pub(crate) use scenario::{RestartArgs, run};
