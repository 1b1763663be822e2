//! The log of one shard: its bytes on disk, and everything that writes and reads them.
//!
//! [`Log`] holds streams of batches in frames. What is appended together is in one frame and becomes durable
//! together; the shard's state is a fold over committed frames ([`StateMachine`]).
//!
//! - `format`: every byte on disk
//! - `write`: open frame, group commit, durability, commit
//! - `index`: where the batches of each stream lie
//! - `segment`: files made ready, ended, given back
//! - `checkpoint`: superblock and checkpoints
//! - `recover`: opening
//! - `inspect`: looking at the files and checking them, without changing anything
//! - `regroup`: moving batches into store segments, so that space comes back and readers read on
//! - `mover`: replacing batches of one stream by what compaction leaves of them
//! - `read`: tail cache, footers, reads

mod batch;
mod checkpoint;
mod error;
pub mod format;
mod handle;
mod index;
pub mod inspect;
mod mover;
mod options;
mod read;
mod recover;
mod regroup;
mod segment;
mod shared;
mod signal;
mod state_machine;
mod status;
mod write;

pub use batch::{ReadBatch, Slice, StreamBounds};
pub use error::{AppendError, CheckpointError, Closed, OpenError, ReadError, RestoreError};
pub use handle::{Log, WaitCommitted};
pub use mover::NotReplaced;
pub(crate) use mover::{Mover, Part, PartRow};
pub use options::{FlushMethod, LogHome, LogOptions};
pub use state_machine::{CommittedFrame, DraftEntry, StateMachine};
pub use status::{LogStatus, RecoveryReport};
