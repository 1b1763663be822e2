//! Opening a log: what is there, what of it counts, and where it goes on.

mod create;
mod evidence;
mod frame;
mod open;
mod reader;
mod replay;

pub(super) use create::check_nothing_lost;
pub(super) use evidence::find_evidence;
pub(super) use frame::{Expected, KnownStart, Refusal, check_header};
pub(super) use open::{check_owner, is_segment_size, lost, open, segments_in};
pub(super) use reader::SegmentReader;
pub(super) use replay::{Replayed, replay};
