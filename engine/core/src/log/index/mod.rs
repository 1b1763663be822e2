//! The index over committed frames: where the batches of each stream lie, and what is live in each segment.
//!
//! Pure state: it takes frames in order and answers; it does no I/O.

mod compact;
mod regroup;
mod restore;
mod row;
mod stream;
mod table;
mod time;

pub(super) use compact::Movable;
pub(super) use row::{Row, end_of, stream_of};
pub(super) use stream::{Root, Stream};
pub(super) use table::{Applied, Found, Index, SegmentClass, SegmentState};
pub(super) use time::Sought;
