//! Where a folder is: device, file system, mount point, and the room left.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// `statfs` numbers of file systems that call for a warning. Source: statfs(2), and zfs's and bcachefs's own
/// headers.
const COPY_ON_WRITE: [(u64, &str); 3] =
    [(0x9123_683E, "btrfs"), (0x2FC1_2FC1, "zfs"), (0xCA45_1A4E, "bcachefs")];
const IN_MEMORY: [(u64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58F6, "ramfs")];
const NETWORK: [(u64, &str); 5] = [
    (0x6969, "nfs"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x00C3_6400, "ceph"),
    (0x0102_1997, "9p"),
];

/// What identifies the place of a folder. A report holds for the place it was measured at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Device number of the file system, as `major:minor`.
    pub device: String,
    /// Type of the file system, as the kernel names it; `unknown` where it does not say.
    pub file_system: String,
    /// Where the file system is mounted; `unknown` where the kernel does not say.
    pub mount_point: String,
}

/// Why a place is a bad one for logs.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlaceWarning {
    /// Writing a block again moves it, so that reserved and written space is no use.
    #[error(
        "{file_system} copies on write: every write allocates, a full disk can stop a log in reserved \
         space, and latency grows with fragments; use ext4 or xfs"
    )]
    CopyOnWrite {
        /// Its name.
        file_system: String,
    },
    /// Nothing is durable.
    #[error("{file_system} is memory: what is acknowledged as durable is lost with power")]
    InMemory {
        /// Its name.
        file_system: String,
    },
    /// A flush ends at a server.
    #[error("{file_system} is a network file system: how durable a flush is depends on its server")]
    Network {
        /// Its name.
        file_system: String,
    },
}

impl Place {
    /// The place of `folder`, which must exist.
    ///
    /// # Errors
    /// The operating system's, if the folder cannot be looked at.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let device = std::fs::metadata(&folder)?.dev();
        let device = format!("{}:{}", libc::major(device), libc::minor(device));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let (mount_point, file_system) = find_mount(&mounts, &folder).unwrap_or_else(|| {
            let unknown = "unknown".to_owned();
            (unknown.clone(), unknown)
        });
        Ok(Self { device, file_system, mount_point })
    }

    /// What speaks against logs in `folder`, which must exist.
    ///
    /// # Errors
    /// The operating system's, if the folder cannot be looked at.
    pub fn warning(folder: &Path) -> io::Result<Option<PlaceWarning>> {
        Ok(warning_for(file_system_number(folder)?))
    }
}

fn warning_for(number: u64) -> Option<PlaceWarning> {
    let name = |list: &[(u64, &str)]| {
        list.iter().find(|&&(known, _)| known == number).map(|&(_, name)| name.to_owned())
    };
    name(&COPY_ON_WRITE)
        .map(|file_system| PlaceWarning::CopyOnWrite { file_system })
        .or_else(|| name(&IN_MEMORY).map(|file_system| PlaceWarning::InMemory { file_system }))
        .or_else(|| name(&NETWORK).map(|file_system| PlaceWarning::Network { file_system }))
}

/// Mount point and type of the file system that holds `folder`: the longest mount point above it, and of two
/// at one point the later, which covers the earlier. Source: proc_pid_mountinfo(5).
fn find_mount(mounts: &str, folder: &Path) -> Option<(String, String)> {
    let mut best: Option<(String, String)> = None;
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (Some(point), Some(kind)) = (left.split(' ').nth(4), right.split(' ').next()) else { continue };
        let point = unescape(point);
        let longer = best.as_ref().is_none_or(|(known, _)| point.len() >= known.len());
        if longer && folder.starts_with(&point) {
            best = Some((point, kind.to_owned()));
        }
    }
    best
}

/// The kernel writes blanks, tabs, line ends and backslashes in mount points as `\` and three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

fn file_system_number(folder: &Path) -> io::Result<u64> {
    let path = c_path(folder)?;
    // SAFETY: a `statfs` is plain data; all zeroes is a valid value.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with a zero byte and `stat` is valid for writes; both outlive the call.
    if unsafe { libc::statfs(path.as_ptr(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The field's type differs between architectures; the numbers fit into 32 bits.
    Ok(stat.f_type as u64 & 0xFFFF_FFFF)
}

/// Room on a file system. Unit: bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Space {
    /// What this user may still write.
    pub free_bytes: u64,
    /// The file system's size.
    pub total_bytes: u64,
}

/// Room on the file system of `folder`, which must exist.
///
/// # Errors
/// The operating system's.
pub fn free_space(folder: &Path) -> io::Result<Space> {
    let path = c_path(folder)?;
    // SAFETY: a `statvfs` is plain data; all zeroes is a valid value.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with a zero byte and `stat` is valid for writes; both outlive the call.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Space { free_bytes: stat.f_bavail * stat.f_frsize, total_bytes: stat.f_blocks * stat.f_frsize })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
40 22 254:16 / /data rw shared:9 - xfs /dev/vdb rw
41 40 254:32 / /data/my\\040logs rw - btrfs /dev/vdc rw
42 22 0:50 / /data rw - tmpfs tmpfs rw
";

    #[test]
    fn the_longest_and_latest_mount_point_is_found() {
        let find = |path: &str| find_mount(MOUNTS, Path::new(path)).unwrap();
        assert_eq!(find("/home/x"), ("/".to_owned(), "ext4".to_owned()));
        assert_eq!(find("/database"), ("/".to_owned(), "ext4".to_owned()));
        assert_eq!(find("/data/a"), ("/data".to_owned(), "tmpfs".to_owned()));
        assert_eq!(find("/data/my logs/a"), ("/data/my logs".to_owned(), "btrfs".to_owned()));
        assert_eq!(find_mount("", Path::new("/")), None);
    }

    #[test]
    fn file_systems_that_copy_on_write_are_warned_of() {
        assert!(matches!(warning_for(0x9123_683E), Some(PlaceWarning::CopyOnWrite { .. })));
        assert!(matches!(warning_for(0x2FC1_2FC1), Some(PlaceWarning::CopyOnWrite { .. })));
        assert!(matches!(warning_for(0x0102_1994), Some(PlaceWarning::InMemory { .. })));
        assert_eq!(warning_for(0xEF53), None, "ext4");
        assert_eq!(warning_for(0x5846_5342), None, "xfs");
    }

    #[test]
    fn a_memory_file_system_is_recognised_where_there_is_one() {
        // /dev/shm is a tmpfs wherever it exists.
        let shm = Path::new("/dev/shm");
        if shm.exists() {
            assert!(matches!(Place::warning(shm).unwrap(), Some(PlaceWarning::InMemory { .. })));
            assert_eq!(Place::of(shm).unwrap().file_system, "tmpfs");
        }
        assert!(Place::warning(Path::new("/missing")).is_err());
        assert!(free_space(Path::new("/missing")).is_err());
    }
}
