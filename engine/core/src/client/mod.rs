//! What everything above the engine calls: topics, appends, reads, and the commits of stream tasks.

mod commit;
mod error;
mod types;

pub use commit::Commit;
pub use error::{AppendError, CommitError, NameStoreError, ReadError, SetLogStartError};
pub use types::{Appended, Bounds, ProducerPosition};
