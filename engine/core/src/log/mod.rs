//! The log of one shard: its bytes on disk, and everything that writes and reads them.

mod batch;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the task that writes frames, which follows"))]
mod builder;
#[expect(dead_code, reason = "used by the task that writes frames, which follows")]
mod durability;
mod error;
pub mod format;
mod options;
#[expect(dead_code, reason = "used by the task that writes frames, which follows")]
mod signal;
mod state_machine;
mod status;

pub use batch::{ReadBatch, Slice, StreamBounds};
pub use error::{AppendError, CheckpointError, Closed, OpenError, ReadError, RestoreError};
pub use options::{FlushMethod, LogOptions};
pub use state_machine::{CommittedFrame, DraftEntry, StateMachine};
pub use status::{LogStatus, RecoveryReport};
