//! The simulated disk: what is durable, what is written but not flushed, what is in flight, and what of it a
//! crash leaves.
//!
//! - A write lands when it completes, out of order with others. What has landed is seen by reads.
//! - A flush makes durable what had landed in its file when it was *issued*, nothing that landed later.
//! - A write through a handle opened with write-through is durable when it completes.
//! - Names and removals are durable after a sync of their folder; a folder, after a sync of its parent.
//! - A process crash ends what is in flight: wholly, partly or not at all landed. A power loss does that, and
//!   then decides for each write that landed unflushed whether all, some blocks, or nothing of it stays.

mod buffer;
mod crash;
mod file;
mod inspect;
mod names;
mod node;
mod operation;
mod submit;

pub use buffer::SimBuffer;
pub use file::SimFile;
pub(crate) use file::perform;
pub use inspect::{BitFlip, SavedDisk};
pub(crate) use operation::{OperationId, Outcome, Reply, Request};
pub(crate) use submit::{Disk, Step};
