//! Teaches glommio which devices can be polled for completions.
//!
//! Glommio finds out with the first file that it opens on a device, by reading from it through a polling
//! ring. If that file is empty or reserved but unwritten, nothing reaches the device, the read succeeds, and
//! from then on every operation on a device without polling fails. So the first file that it sees on a
//! device is one with written bytes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thalweg_engine::limits::BLOCK_SIZE;

thread_local! {
    /// Devices of which this executor's glommio knows; it remembers them per thread too.
    static KNOWN: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// Must be awaited before `file` is opened for direct I/O on this executor. Does nothing
/// where no file can be made: what is opened there next fails or has bytes of its own.
pub(crate) async fn learn(file: &Path) {
    let folder = match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return,
    };
    let Ok(device) = std::fs::metadata(folder).map(|metadata| metadata.dev()) else { return };
    if KNOWN.with_borrow(|known| known.contains(&device)) {
        return;
    }
    let folder = folder.to_path_buf();
    let Ok(file) = glommio::executor().spawn_blocking(move || nameless_block(&folder)).await else { return };
    // By way of its descriptor: the file has no name that a crash could leave behind.
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    if let Ok(opened) = glommio::io::OpenOptions::new().read(true).dma_open(&path).await {
        drop(glommio::io::OwnedDmaFile::from(opened));
        KNOWN.with_borrow_mut(|known| known.insert(device));
    }
}

/// A file in `folder` without a name, with one block on the device.
fn nameless_block(folder: &Path) -> io::Result<File> {
    let nameless = OpenOptions::new().read(true).write(true).custom_flags(libc::O_TMPFILE).open(folder);
    let mut file = nameless.or_else(|_| unlinked(folder))?;
    file.write_all(&[0x5A; BLOCK_SIZE])?;
    file.sync_data()?;
    Ok(file)
}

/// For file systems that cannot make a file without a name.
fn unlinked(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".polled-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
