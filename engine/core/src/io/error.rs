//! What a disk can answer other than success.

use std::path::PathBuf;

/// What was asked of the disk when it failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DiskOperation {
    /// Opening or creating a file or folder.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Flushing a file or a folder to the device.
    Flush,
    /// Reserving space.
    Allocate,
    /// Listing a folder.
    List,
    /// Removing a file.
    Remove,
}

/// A failed disk operation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DiskError {
    /// The device has no room left.
    #[error("no space left on the device for {path:?}")]
    NoSpace {
        /// File concerned.
        path: PathBuf,
    },
    /// The file or folder does not exist.
    #[error("{path:?} does not exist")]
    NotFound {
        /// File concerned.
        path: PathBuf,
    },
    /// This process, or the machine, has as many files open as it may.
    #[error(
        "too many open files: {path:?} could not be opened; raise the limit with `ulimit -n`, LimitNOFILE= in a \
         systemd unit, or nofile in /etc/security/limits.conf (for the whole machine: fs.file-max)"
    )]
    TooManyOpenFiles {
        /// File concerned.
        path: PathBuf,
    },
    /// The file system cannot open this file for direct I/O.
    #[error("the file system of {path:?} does not support direct I/O")]
    NoDirectIo {
        /// File concerned.
        path: PathBuf,
    },
    /// Anything else, with the operating system's words.
    #[error("{operation:?} of {path:?} failed: {message}")]
    Other {
        /// What was asked.
        operation: DiskOperation,
        /// File concerned.
        path: PathBuf,
        /// The cause, as the operating system names it.
        message: String,
    },
}
