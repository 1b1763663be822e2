//! One process per data folder.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
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

/// A locked data folder; dropping it, or the end of the process, unlocks it.
///
/// What is locked is the folder itself, so that nothing in it can be removed to get around the lock. The lock file
/// says who holds it, and is locked too where a file system cannot lock folders. Processes that this one starts
/// inherit neither.
#[derive(Debug)]
pub struct FolderLock {
    folder: File,
    file: File,
}

impl FolderLock {
    /// Locks `folder`, which must exist, and writes this process' number into its lock file. Blocks this
    /// thread for up to 200 ms while the holder lives, 10 s when it has died.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let io_error = |source| LockError::Io { path: folder.to_path_buf(), source };
        let opened = File::open(folder).map_err(io_error)?;
        lock(&opened, folder)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(folder.join(LOCK_NAME)).map_err(io_error)?;
        lock(&file, folder)?;
        write_holder(&mut file).map_err(io_error)?;
        Ok(Self { folder: opened, file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing alone would leave it to a forked child that still has the descriptors.
        let _ = self.file.unlock();
        let _ = self.folder.unlock();
    }
}

/// Locks `file`, which is `folder` or its lock file. A file system that cannot lock folders leaves it to the file.
fn lock(file: &File, folder: &Path) -> Result<(), LockError> {
    let path = || folder.to_path_buf();
    let metadata = file.metadata().map_err(|source| LockError::Io { path: path(), source })?;
    let mut waited_ms = 0;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(source)) if metadata.is_dir() && cannot_lock(&source) => return Ok(()),
            Err(TryLockError::Error(source)) => return Err(LockError::Io { path: path(), source }),
            Err(TryLockError::WouldBlock) => {}
        }
        let holder = read_holder(folder).or_else(|| kernel_holder(&metadata));
        let patience_ms = if holder.is_some_and(is_dead) { WAIT_DEAD_MS } else { WAIT_LIVING_MS };
        if waited_ms >= patience_ms {
            return Err(match holder {
                Some(pid) => LockError::Held { path: path(), pid },
                None => LockError::HeldByUnknown { path: path() },
            });
        }
        pause();
        waited_ms += RETRY_MS;
    }
}

/// Whether `error` says that there are no locks of this kind here, as network file systems do about folders.
fn cannot_lock(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINVAL | libc::ENOLCK | libc::EOPNOTSUPP))
}

#[expect(clippy::disallowed_methods, reason = "waits for another process, before any executor runs")]
fn pause() {
    std::thread::sleep(Duration::from_millis(RETRY_MS));
}

/// Who holds the folder, as its lock file says.
fn read_holder(folder: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(folder.join(LOCK_NAME)).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Who holds a lock on the file of `metadata`, as the kernel says: for when the lock file was removed.
fn kernel_holder(metadata: &Metadata) -> Option<u32> {
    let (device, inode) = (metadata.dev(), metadata.ino());
    let file = format!("{:02x}:{:02x}:{inode}", libc::major(device), libc::minor(device));
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, locked, ..] = fields[..] else { return None };
        if locked == file { pid.parse().ok() } else { None }
    })
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
