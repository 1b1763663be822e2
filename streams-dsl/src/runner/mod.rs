//! Running the tasks of a topology on one shard of an engine.

mod assign;
mod error;
mod input;
mod kinds;
mod narrow;
mod options;
mod progress;
mod reset;
mod signal;
mod store_view;
mod streams_runner;
mod task_loop;
mod topics;

pub use error::{StartError, TaskFailure};
pub use options::RunnerOptions;
pub use progress::{InputProgress, TaskProgress, TaskState};
pub use reset::{ResetError, end_reset, keeps_anything, reset};
pub use streams_runner::StreamsRunner;
