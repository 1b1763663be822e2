//! Which way of making writes durable is faster on the device under a folder.
//!
//! `O_DSYNC` writes and writes followed by `fdatasync` differ by up to a factor of ten, either way, from
//! device to device. [`probe`] measures both through the same executor and rings that the log uses, which
//! takes about a second; its report is to be kept with the folder and measured again when [`Place`] says that
//! the folder has moved.

mod measure;
mod place;
mod report;

pub use measure::{ProbeError, probe};
pub use place::{Place, PlaceWarning, Space, free_space};
pub use report::{Medians, ProbeDecodeError, ProbeReport};
