//! Files: direct I/O by glommio's `DmaFile`, or the page cache where a file system has none.

use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use glommio::io::{BufferedFile, DmaFile, OpenOptions, OwnedDmaFile};
use thalweg_engine::io::{Buffer, DiskError, DiskOperation, File, FileKind, OpenMode};
use thalweg_engine::limits::BLOCK_SIZE;

use crate::buffer::{self, AlignedBuffer};
use crate::errno::{direct_open_error, disk_error, os_error};
use crate::operation::Operations;
use crate::polled;

/// Partial reads or writes, and interruptions, after which one operation gives up: a device that goes on
/// answering with pieces is broken.
const PIECES_MAX: usize = 64;

/// An open file.
#[derive(Clone)]
pub struct DiskFile(Rc<Inner>);

struct Inner {
    /// `None` only while it is being dropped.
    handle: Option<Handle>,
    path: PathBuf,
    operations: Rc<Operations>,
}

enum Handle {
    Direct(DmaFile),
    Buffered(BufferedFile),
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(Handle::Direct(file)) = self.handle.take() {
            // Closes here and now. Glommio's own close is queued, and lost if the executor ends first.
            drop(OwnedDmaFile::from(file));
        }
    }
}

/// Opens `path`; `buffered` chooses the page cache.
pub(crate) fn open(
    operations: &Rc<Operations>,
    path: &Path,
    kind: FileKind,
    mode: OpenMode,
    buffered: bool,
) -> impl Future<Output = Result<DiskFile, DiskError>> + 'static {
    let path = path.to_path_buf();
    let owner = Rc::clone(operations);
    operations.run(async move {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(mode == OpenMode::Create).mode(0o644);
        if kind == (FileKind::Log { write_through: true }) {
            options.custom_flags(libc::O_DSYNC);
        }
        let handle = if buffered {
            let opened = options.buffered_open(&path).await.map_err(os_error);
            Handle::Buffered(opened.map_err(|source| disk_error(DiskOperation::Open, &path, &source))?)
        } else {
            polled::learn(&path).await;
            let opened = options.dma_open(&path).await.map_err(os_error);
            Handle::Direct(opened.map_err(|source| direct_open_error(&path, &source))?)
        };
        Ok(DiskFile(Rc::new(Inner { handle: Some(handle), path, operations: owner })))
    })
}

impl File for DiskFile {
    type Buffer = AlignedBuffer;

    fn write_at(
        &self,
        buffer: Rc<AlignedBuffer>,
        position: u64,
    ) -> impl Future<Output = Result<(), DiskError>> + 'static {
        assert_aligned(position, buffer.bytes().len());
        let inner = Rc::clone(&self.0);
        self.0.operations.run(async move {
            let outcome = inner.write_whole(&buffer, position).await;
            outcome.map_err(|source| disk_error(DiskOperation::Write, &inner.path, &source))
        })
    }

    fn read_at(
        &self,
        position: u64,
        size: usize,
    ) -> impl Future<Output = Result<AlignedBuffer, DiskError>> + 'static {
        assert_aligned(position, size);
        let inner = Rc::clone(&self.0);
        self.0.operations.run(async move {
            let outcome = inner.read_whole(position, size).await;
            outcome.map_err(|source| disk_error(DiskOperation::Read, &inner.path, &source))
        })
    }

    fn flush(&self) -> impl Future<Output = Result<(), DiskError>> + 'static {
        let inner = Rc::clone(&self.0);
        self.0.operations.run(async move {
            let outcome = match inner.handle() {
                Handle::Direct(file) => file.fdatasync().await,
                Handle::Buffered(file) => file.fdatasync().await,
            };
            outcome.map_err(|error| disk_error(DiskOperation::Flush, &inner.path, &os_error(error)))
        })
    }

    fn allocate(&self, size: u64) -> impl Future<Output = Result<(), DiskError>> + 'static {
        let inner = Rc::clone(&self.0);
        self.0.operations.run(async move {
            let outcome = inner.allocate(size).await;
            outcome.map_err(|source| disk_error(DiskOperation::Allocate, &inner.path, &source))
        })
    }

    fn len(&self) -> impl Future<Output = Result<u64, DiskError>> + 'static {
        let inner = Rc::clone(&self.0);
        async move {
            let size = file_size(inner.descriptor());
            size.map_err(|source| disk_error(DiskOperation::Open, &inner.path, &source))
        }
    }
}

impl Inner {
    fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("open until it is dropped")
    }

    fn descriptor(&self) -> RawFd {
        match self.handle() {
            Handle::Direct(file) => file.as_raw_fd(),
            Handle::Buffered(file) => file.as_raw_fd(),
        }
    }

    async fn write_whole(&self, buffer: &AlignedBuffer, position: u64) -> io::Result<()> {
        let size = buffer.bytes().len();
        let mut written = 0;
        for _ in 0..PIECES_MAX {
            if written == size {
                return Ok(());
            }
            match self.write_piece(buffer, written, position).await {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                // Whole blocks only: the next piece has to start on one.
                Ok(piece) => written = (written + piece).min(size) / BLOCK_SIZE * BLOCK_SIZE,
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if written == size { Ok(()) } else { Err(io::Error::other("the write came to no end")) }
    }

    /// Writes what follows the first `written` bytes of `buffer`; the number of bytes taken.
    async fn write_piece(&self, buffer: &AlignedBuffer, written: usize, position: u64) -> io::Result<usize> {
        let at = position + written as u64;
        let outcome = match self.handle() {
            Handle::Direct(file) if written == 0 => file.write_rc_at(buffer.for_writing(), at).await,
            Handle::Direct(file) => file.write_at(buffer::copy(&[&buffer.bytes()[written..]]), at).await,
            Handle::Buffered(file) => file.write_at(buffer.bytes()[written..].to_vec(), at).await,
        };
        outcome.map_err(os_error)
    }

    async fn read_whole(&self, position: u64, size: usize) -> io::Result<AlignedBuffer> {
        let mut pieces: Vec<glommio::io::ReadResult> = Vec::new();
        let mut read = 0;
        for _ in 0..PIECES_MAX {
            let piece = match self.read_piece(position + read as u64, size - read).await {
                Err(error) if is_transient(&error) => continue,
                other => other?,
            };
            read += piece.len();
            let at_end = piece.is_empty() || read == size || !read.is_multiple_of(BLOCK_SIZE);
            if at_end && pieces.is_empty() {
                return Ok(AlignedBuffer::from_read(piece));
            }
            pieces.push(piece);
            if at_end {
                let parts: Vec<&[u8]> = pieces.iter().map(|piece| &**piece).collect();
                return Ok(AlignedBuffer::copied(&parts));
            }
        }
        Err(io::Error::other("the read came to no end"))
    }

    async fn read_piece(&self, position: u64, size: usize) -> io::Result<glommio::io::ReadResult> {
        let outcome = match self.handle() {
            Handle::Direct(file) => file.read_at_aligned(position, size).await,
            Handle::Buffered(file) => file.read_at(position, size).await,
        };
        outcome.map_err(os_error)
    }

    async fn allocate(&self, size: u64) -> io::Result<()> {
        let size_before = file_size(self.descriptor())?;
        let outcome = match self.handle() {
            Handle::Direct(file) => file.pre_allocate(size, false).await,
            Handle::Buffered(file) => file.pre_allocate(size, false).await,
        };
        match outcome.map_err(os_error) {
            // A file system that cannot reserve: the size alone is what is left to set.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            Err(error) => {
                // What was reserved before the device was full would keep it full. If giving it back fails
                // too, the first error is the one to know.
                let _ = self.set_size(size_before).await;
                return Err(error);
            }
            Ok(()) => {}
        }
        if file_size(self.descriptor())? == size { Ok(()) } else { self.set_size(size).await }
    }

    async fn set_size(&self, size: u64) -> io::Result<()> {
        let outcome = match self.handle() {
            Handle::Direct(file) => file.truncate(size).await,
            Handle::Buffered(file) => file.truncate(size).await,
        };
        outcome.map_err(os_error)
    }
}

fn assert_aligned(position: u64, size: usize) {
    assert!(position.is_multiple_of(BLOCK_SIZE as u64), "position {position} is not on a block");
    assert!(size.is_multiple_of(BLOCK_SIZE), "size {size} is not whole blocks");
    assert!(size > 0, "an operation has bytes");
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR))
}

/// Size of the open file, asked of the descriptor: glommio asks by name, which may have gone.
fn file_size(descriptor: RawFd) -> io::Result<u64> {
    // SAFETY: a `stat` is plain data; all zeroes is a valid value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is valid for writes and outlives the call; a bad descriptor is an error, not a fault.
    if unsafe { libc::fstat(descriptor, &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(stat.st_size.unsigned_abs())
}
