//! Reading one partition of many back from the disk, before and after its batches were moved together.

mod bed;
mod beside;
mod scenario;

pub(crate) use scenario::{ReadBackArgs, run};
