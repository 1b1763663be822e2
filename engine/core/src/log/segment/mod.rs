//! Segment files: making them ready, ending them, giving them back.

mod file;
mod footer;
mod pool;
mod rebuild;
mod recycle;

pub(super) use file::{Segment, parse_segment_name, segment_path};
pub(super) use footer::{load_footer, read_footer_of, write_footer, write_footers};
pub(super) use pool::{FreeSegment, give_up_segment, make_segments, make_sure, run_filler};
pub(super) use rebuild::add_rows;
pub(super) use recycle::retire_dead;
