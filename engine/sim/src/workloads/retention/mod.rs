//! Records that go when they are old enough, under a wall clock that nobody can rely on: an hour back, a year ahead,
//! standing still, at any moment and over restarts; and records with stamps of the far future.
//!
//! Nothing goes early by the time that has really passed, but for what the log's clock is documented to believe of what
//! passed between two starts. And everything goes in the end, whatever its stamp.

mod life;
mod oracle;
mod workload;

pub use workload::Retained;
