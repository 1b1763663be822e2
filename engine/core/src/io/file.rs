//! Files for direct I/O, and the aligned memory that goes with them.

use std::future::Future;
use std::path::Path;
use std::rc::Rc;

use super::{DiskError, Runtime};

/// Memory that the device can read and write directly, aligned to [`BLOCK_SIZE`](crate::limits::BLOCK_SIZE).
pub trait Buffer: 'static {
    /// The bytes.
    fn bytes(&self) -> &[u8];

    /// The bytes, to be changed.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Shortens the buffer to its first `size` bytes; the memory stays allocated.
    ///
    /// # Panics
    /// If `size` exceeds the length.
    fn truncate(&mut self, size: usize);
}

/// What a file is for; decides its flags and its share of the device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileKind {
    /// Segments: direct I/O; with `write_through`, each write is durable when it completes (`O_DSYNC`).
    Log {
        /// Open with `O_DSYNC`.
        write_through: bool,
    },
    /// Small files of whole blocks, written and then flushed (superblock, manifest).
    Meta,
}

/// Whether opening may create the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenMode {
    /// The file must exist.
    Existing,
    /// The file is made if it does not exist; its name is durable only after
    /// [`Runtime::sync_folder`](super::Runtime::sync_folder).
    Create,
}

/// An open file. Positions and sizes of direct reads and writes are multiples of
/// [`BLOCK_SIZE`](crate::limits::BLOCK_SIZE).
///
/// A future of this trait, once polled, must be awaited to its end: the operation may land even if its
/// future is dropped.
#[expect(clippy::len_without_is_empty, reason = "the size of a file is asked of the disk")]
pub trait File: Clone + 'static {
    /// The runtime's buffer.
    type Buffer: Buffer;

    /// Writes the whole of `buffer` at byte `position`. A short write is finished or is an error; on success
    /// all bytes have been taken by the device, but are durable only after [`File::flush`] (or at once, for
    /// a file opened with write-through).
    fn write_at(
        &self,
        buffer: Rc<Self::Buffer>,
        position: u64,
    ) -> impl Future<Output = Result<(), DiskError>> + 'static;

    /// Reads `size` bytes at byte `position`. Shorter only where the file ends.
    fn read_at(
        &self,
        position: u64,
        size: usize,
    ) -> impl Future<Output = Result<Self::Buffer, DiskError>> + 'static;

    /// Makes every write that completed before this call durable (`fdatasync`).
    fn flush(&self) -> impl Future<Output = Result<(), DiskError>> + 'static;

    /// Reserves space for `size` bytes and sets the file's size to it.
    fn allocate(&self, size: u64) -> impl Future<Output = Result<(), DiskError>> + 'static;

    /// The file's size in bytes.
    fn len(&self) -> impl Future<Output = Result<u64, DiskError>> + 'static;
}

/// Opens the file at `path`; `None` if there is none.
///
/// # Errors
/// Any [`DiskError`] but [`DiskError::NotFound`].
pub async fn open_existing<R: Runtime>(
    runtime: &R,
    path: &Path,
    kind: FileKind,
) -> Result<Option<R::File>, DiskError> {
    match runtime.open(path, kind, OpenMode::Existing).await {
        Ok(file) => Ok(Some(file)),
        Err(DiskError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
