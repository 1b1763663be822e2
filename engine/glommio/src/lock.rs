//! One process per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thalweg_engine::folder::LOCK_NAME;

/// How long to wait for a holder that lives, in case it is just letting go.
const WAIT_LIVING_MS: u64 = 200;

/// How long to wait for a holder that has died: the kernel keeps its descriptors until its last disk
/// operation has ended.
const WAIT_DEAD_MS: u64 = 10_000;

const RETRY_MS: u64 = 10;

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process, or another engine in this one, has the folder open.
    #[error("{path:?} is in use by process {pid}; stop it, or choose another folder")]
    Held {
        /// The folder.
        path: PathBuf,
        /// Who holds it, as the lock file says.
        pid: u32,
    },
    /// Another process has the folder open and did not write who it is.
    #[error("{path:?} is in use by another process; stop it, or choose another folder")]
    HeldByUnknown {
        /// The folder.
        path: PathBuf,
    },
    /// The lock file could not be made, locked or written.
    #[error("{path:?} could not be locked: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

/// A locked data folder; dropping it, or the end of the process, unlocks it. The lock file stays: removing it
/// would let two processes lock two files of one name.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Locks `folder`, which must exist, and writes this process' number into its lock file. Blocks this
    /// thread for up to 200 ms while the holder lives, 10 s when it has died.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let io_error = |source| LockError::Io { path: folder.to_path_buf(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(LOCK_NAME))
            .map_err(io_error)?;
        let mut waited_ms = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(io_error(source)),
                Err(TryLockError::WouldBlock) => {}
            }
            let holder = read_holder(&mut file);
            let patience_ms = if holder.is_some_and(is_dead) { WAIT_DEAD_MS } else { WAIT_LIVING_MS };
            if waited_ms >= patience_ms {
                let path = folder.to_path_buf();
                return Err(holder.map_or(LockError::HeldByUnknown { path: path.clone() }, |pid| {
                    LockError::Held { path, pid }
                }));
            }
            pause();
            waited_ms += RETRY_MS;
        }
        write_holder(&mut file).map_err(io_error)?;
        Ok(Self { _file: file })
    }
}

#[expect(clippy::disallowed_methods, reason = "waits for another process, before any executor runs")]
fn pause() {
    std::thread::sleep(Duration::from_millis(RETRY_MS));
}

fn read_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Whether process `pid` has ended, even if its parent has not noticed yet.
fn is_dead(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // "pid (name) state …": the name may contain anything, so the state follows the last parenthesis.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, Some('Z' | 'X'))
}
