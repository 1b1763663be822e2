//! The device's floor: durable writes one at a time into written space, through our runtime and by fio.

mod fio;
mod fio_report;
mod method;
mod scenario;
mod target;

pub(crate) use method::Method;
pub(crate) use scenario::{FloorArgs, LARGE_WRITE_SIZES, run};
pub(crate) use target::{Target, Turn};
