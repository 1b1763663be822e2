//! Checks that the machine has what the engine needs, with errors that say how to get it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thalweg_engine::limits::BLOCK_SIZE;

/// Locked memory that one executor's rings need at least. Bytes.
pub const LOCKED_MEMORY_PER_EXECUTOR: u64 = 512 * 1024;

/// Descriptors of one executor at most: its rings, its events, and what it opens in passing.
pub const DESCRIPTORS_PER_EXECUTOR: u64 = 16;

/// First kernel with every io_uring operation that is used.
const KERNEL_MIN: (u32, u32) = (5, 8);

/// First kernel that no longer counts rings as locked memory.
const KERNEL_RINGS_NOT_LOCKED: (u32, u32) = (5, 12);

/// What the machine lacks.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The kernel is older than every io_uring operation that is used.
    #[error("Linux {found} is too old: io_uring as used here needs Linux 5.8 or newer; update the kernel")]
    KernelTooOld {
        /// Release of the running kernel.
        found: String,
    },
    /// The kernel was built without io_uring.
    #[error("this kernel has no io_uring (built without CONFIG_IO_URING); run a kernel that has it")]
    NoIoUring,
    /// io_uring is switched off by the administrator.
    #[error(
        "io_uring is switched off (kernel.io_uring_disabled = {value}); switch it on with \
         `sysctl -w kernel.io_uring_disabled=0`"
    )]
    IoUringDisabled {
        /// Value of the setting.
        value: String,
    },
    /// io_uring is refused although it is switched on: a sandbox.
    #[error(
        "io_uring is blocked here, most likely by a container's seccomp profile; allow io_uring_setup, \
         io_uring_enter and io_uring_register (docker: `--security-opt seccomp=unconfined` or a profile of your own)"
    )]
    IoUringBlocked,
    /// The kernel refused a ring for another reason.
    #[error("io_uring cannot be used: {source}")]
    IoUring {
        /// The kernel's answer.
        source: io::Error,
    },
    /// Too little memory may be locked.
    #[error(
        "the limit of locked memory (RLIMIT_MEMLOCK) is {limit} bytes, {needed} are needed; raise it with \
         `ulimit -l {}` (root: `ulimit -Hl`), LimitMEMLOCK= in a systemd unit, or memlock in \
         /etc/security/limits.conf", needed.div_ceil(1024)
    )]
    LockedMemory {
        /// The limit in force. Bytes.
        limit: u64,
        /// What the executors need. Bytes.
        needed: u64,
    },
    /// Too few files may be open.
    #[error(
        "the limit of open files (RLIMIT_NOFILE) is {limit}, {needed} are needed; raise it with `ulimit -n {needed}` \
         (root: `ulimit -Hn`), LimitNOFILE= in a systemd unit, or nofile in /etc/security/limits.conf"
    )]
    OpenFiles {
        /// The limit in force.
        limit: u64,
        /// What is open already and what is needed beside it.
        needed: u64,
    },
    /// The file system cannot do direct I/O.
    #[error(
        "the file system of {path:?} has no direct I/O (O_DIRECT); use a folder on ext4 or xfs, or run with \
         --buffered, which goes through the page cache"
    )]
    NoDirectIo {
        /// The folder.
        path: PathBuf,
    },
    /// The folder could not be written at all.
    #[error("a file in {path:?} could not be written: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

/// Checks io_uring, locked memory and open files for `executors` executors. Raises the soft limit of open files to
/// the hard one, and that of locked memory if that helps.
///
/// # Errors
/// What is missing.
pub fn check_machine(executors: u16) -> Result<(), PreflightError> {
    let release = kernel_release();
    let version = parse_release(&release);
    if version.is_some_and(|version| version < KERNEL_MIN) {
        return Err(PreflightError::KernelTooOld { found: release });
    }
    let rings_are_locked = version.is_some_and(|version| version < KERNEL_RINGS_NOT_LOCKED);
    let counted = if rings_are_locked { u64::from(executors) } else { 1 };
    check_locked_memory(counted * LOCKED_MEMORY_PER_EXECUTOR)?;
    check_open_files(u64::from(executors) * DESCRIPTORS_PER_EXECUTOR)?;
    match ring_setup() {
        Ok(()) => Ok(()),
        Err(error) => Err(ring_error(error, read_setting().as_deref())),
    }
}

/// Checks that this process may open `more` files beside those that it has open. Raises the soft limit to the hard
/// one in any case.
///
/// # Errors
/// [`PreflightError::OpenFiles`].
pub fn check_open_files(more: u64) -> Result<(), PreflightError> {
    let limit = raise_limit(libc::RLIMIT_NOFILE, u64::MAX);
    // Not even the list of what is open can be opened.
    let open = std::fs::read_dir("/proc/self/fd").map_or(limit, |entries| entries.count() as u64);
    let needed = open.saturating_add(more);
    if limit < needed { Err(PreflightError::OpenFiles { limit, needed }) } else { Ok(()) }
}

/// Checks that files in `folder`, which must exist, can be written by direct I/O.
///
/// # Errors
/// [`PreflightError::NoDirectIo`], or [`PreflightError::Folder`] if nothing can be written there at all.
pub fn check_direct_io(folder: &Path) -> Result<(), PreflightError> {
    let probe = folder.join(format!(".direct-io-{}", std::process::id()));
    let outcome = write_directly(&probe);
    // A failed open leaves nothing behind; a leftover is harmless and named by this process.
    let _ = std::fs::remove_file(&probe);
    outcome.map_err(|source| match source.raw_os_error() {
        Some(libc::EINVAL) => PreflightError::NoDirectIo { path: folder.to_path_buf() },
        _ => PreflightError::Folder { path: folder.to_path_buf(), source },
    })
}

fn write_directly(path: &Path) -> io::Result<()> {
    #[repr(C, align(4096))]
    struct Block([u8; BLOCK_SIZE]);
    let block = Box::new(Block([0; BLOCK_SIZE]));
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).custom_flags(libc::O_DIRECT).open(path)?;
    std::os::unix::fs::FileExt::write_all_at(&file, &block.0, 0)
}

fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// Major and minor number of a kernel release such as `6.18.44-generic`.
fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn check_locked_memory(needed: u64) -> Result<(), PreflightError> {
    let limit = raise_limit(libc::RLIMIT_MEMLOCK, needed);
    if limit < needed { Err(PreflightError::LockedMemory { limit, needed }) } else { Ok(()) }
}

/// The soft limit of `resource`, raised to the hard one if it is below `wanted`; no limit if it is not known.
fn raise_limit(resource: libc::__rlimit_resource_t, wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes and outlives the call.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } != 0 {
        return u64::MAX;
    }
    if limit.rlim_cur >= wanted.min(limit.rlim_max) {
        return limit.rlim_cur;
    }
    let raised = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
    // SAFETY: `raised` is valid for reads and outlives the call.
    let outcome = unsafe { libc::setrlimit(resource, &raw const raised) };
    if outcome == 0 { limit.rlim_max } else { limit.rlim_cur }
}

/// Makes one small ring and drops it.
fn ring_setup() -> io::Result<()> {
    // `struct io_uring_params` is 120 bytes; all zeroes asks for the defaults.
    let mut parameters = [0u64; 15];
    // SAFETY: `parameters` is as large and as aligned as the structure the kernel fills, and outlives the call.
    let descriptor = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    let Ok(descriptor @ 0..) = i32::try_from(descriptor) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel just made this descriptor, and nothing else owns it.
    let ring = unsafe { OwnedFd::from_raw_fd(descriptor) };
    debug_assert!(ring.as_raw_fd() >= 0);
    Ok(())
}

fn read_setting() -> Option<String> {
    let value = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    Some(value.trim().to_owned())
}

fn ring_error(source: io::Error, setting: Option<&str>) -> PreflightError {
    match (source.raw_os_error(), setting) {
        (Some(libc::ENOSYS), _) => PreflightError::NoIoUring,
        (Some(libc::EPERM | libc::EACCES), Some(value)) if value != "0" => {
            PreflightError::IoUringDisabled { value: value.to_owned() }
        }
        (Some(libc::EPERM | libc::EACCES), _) => PreflightError::IoUringBlocked,
        _ => PreflightError::IoUring { source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(parse_release("6.18.44-fc-v782"), Some((6, 18)));
        assert_eq!(parse_release("5.8"), Some((5, 8)));
        assert_eq!(parse_release("5.15.0-91-generic"), Some((5, 15)));
        assert_eq!(parse_release("unknown"), None);
        assert!(parse_release("5.10.1").unwrap() > KERNEL_MIN);
    }

    #[test]
    fn a_refused_ring_says_who_refuses() {
        let refused = |number, setting| ring_error(io::Error::from_raw_os_error(number), setting);
        assert!(matches!(refused(libc::ENOSYS, None), PreflightError::NoIoUring));
        assert!(matches!(refused(libc::EPERM, Some("0")), PreflightError::IoUringBlocked));
        assert!(matches!(refused(libc::EPERM, None), PreflightError::IoUringBlocked));
        let PreflightError::IoUringDisabled { value } = refused(libc::EPERM, Some("2")) else {
            panic!("the setting is at fault")
        };
        assert_eq!(value, "2");
        assert!(matches!(refused(libc::ENOMEM, Some("0")), PreflightError::IoUring { .. }));
    }

    #[test]
    fn too_little_locked_memory_names_limit_and_remedy() {
        // No hard limit can be this large unless there is none at all.
        let error = PreflightError::LockedMemory { limit: 65_536, needed: 512 * 1024 };
        let message = error.to_string();
        assert!(message.contains("RLIMIT_MEMLOCK"));
        assert!(message.contains("ulimit -l 512"));
        assert!(message.contains("LimitMEMLOCK"));
    }

    #[test]
    fn too_few_open_files_names_limit_and_remedy() {
        let Err(error @ PreflightError::OpenFiles { .. }) = check_open_files(u64::MAX) else {
            panic!("nothing is without limit")
        };
        let message = error.to_string();
        assert!(message.contains("RLIMIT_NOFILE"), "{message}");
        assert!(message.contains("ulimit -n"), "{message}");
        assert!(message.contains("LimitNOFILE"), "{message}");
    }
}
