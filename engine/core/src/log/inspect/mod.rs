//! Looking at the files of a log that nobody has open, and checking all of them. Nothing is changed.
//!
//! [`inspect`] tells what the files say, at the cost of a start: it reads superblock, checkpoint, the log behind it,
//! and the footers. [`list_frames`] lists frames. [`verify`] reads everything and names each damage. Bytes are decoded
//! and the end of the log is judged by the code that opens a log, so all three see what a start would see.
//!
//! - `report`: what is told
//! - `findings`: damage and what it costs
//! - `superblock`, `survey`: what a start reads
//! - `walk`: the frames of one segment
//! - `segment`: one segment, everything in it
//! - `state`: the state that is built over a log
//!
//! Invariant: no file is written, made or removed. Files may be flushed, as a start does before it believes them.
//!
//! Memory: the index that an open log would hold, one read of a segment and one footer at a time; of damage at most
//! [`FINDINGS_MAX`](crate::limits::FINDINGS_MAX) findings.

mod entry;
mod error;
mod findings;
mod report;
mod segment;
mod state;
mod superblock;
mod survey;
mod walk;

pub use entry::{inspect, list_frames, verify};
pub use error::InspectError;
pub use findings::{Finding, Findings, Loss, LostPart};
pub use report::{
    Checked, CheckpointView, FooterView, FrameView, LogCheck, LogEnd, LogView, SegmentUse, SegmentView,
    SuperblockView, Tail,
};
pub(crate) use state::restore_state;
