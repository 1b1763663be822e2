//! Opening a log: what is there, what of it counts, and where it goes on.

mod create;
mod evidence;
mod frame;
mod open;
mod reader;
mod replay;

pub(super) use open::open;
pub(super) use reader::SegmentReader;
