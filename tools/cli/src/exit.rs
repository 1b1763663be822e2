//! How the program ends.

/// Exit codes, as the help documents them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage, or an input file that says something wrong.
    Usage = 2,
    /// No such topic, partition, group, folder or file.
    NotFound = 3,
    /// The data folder is in use by another process.
    Locked = 4,
    /// The data folder was refused, or a check found it damaged.
    Refused = 5,
    /// This machine lacks something.
    Machine = 6,
    /// The disk failed while writing. Ends the process from within the engine.
    DiskFailed = 70,
    /// Interrupted.
    Interrupted = 130,
}

/// An error with the exit code that it deserves.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How the program ends.
    pub code: ExitCode,
    /// What is printed, without a full stop.
    pub message: String,
}

impl Failure {
    /// An error that ends the program with `code`.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An error of its own kind: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Failed, message)
    }
}
