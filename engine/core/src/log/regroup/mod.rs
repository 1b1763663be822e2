//! Store segments: batches of ended segments, moved together by stream, so that dead bytes take no room and a stream is
//! read in long runs.
//!
//! Order of things: the copies are durable, the frame that says so ([`Regrouped`](super::format::EntryKind::Regrouped))
//! is committed, the segments that have died by it are retired like any other, and whoever still reads them lets go;
//! only then are their files used again. A crash before the commit leaves a free file.
//!
//! - `choose`: which segments
//! - `layout`: where each batch goes; pure
//! - `moved`: what the frame says; pure
//! - `copy`: reading, writing, committing one store segment
//! - `task`: when, and at which pace

mod choose;
mod copy;
mod layout;
mod moved;
mod task;

pub(super) use task::{Pace, run_regrouper};
