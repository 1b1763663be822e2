//! The kernel's error numbers in the engine's words: the one place where they meet.

use std::io;
use std::path::Path;

use glommio::GlommioError;
use thalweg_engine::io::{DiskError, DiskOperation};

/// The engine's error for `source`, which `operation` on `path` ended with.
pub(crate) fn disk_error(operation: DiskOperation, path: &Path, source: &io::Error) -> DiskError {
    let path = path.to_path_buf();
    match source.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => DiskError::NoSpace { path },
        Some(libc::EMFILE | libc::ENFILE) => DiskError::TooManyOpenFiles { path },
        Some(libc::ENOENT) => DiskError::NotFound { path },
        _ => DiskError::Other { operation, path, message: source.to_string() },
    }
}

/// As [`disk_error`], for opening with direct I/O: a file system without it answers `EINVAL`.
pub(crate) fn direct_open_error(path: &Path, source: &io::Error) -> DiskError {
    match source.raw_os_error() {
        Some(libc::EINVAL) => DiskError::NoDirectIo { path: path.to_path_buf() },
        _ => disk_error(DiskOperation::Open, path, source),
    }
}

/// Glommio's error as the operating system's.
pub(crate) fn os_error(error: GlommioError<()>) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::other(error.to_string()),
    }
}
