//! Running a topology without an engine: a virtual clock, topics and stores in memory, and the same tasks as in
//! production.

mod error;
mod memory;
mod test_driver;

pub use error::DriverError;
pub use test_driver::{DriverOptions, TestDriver};
