//! A file of written space, and durable writes into it through a runtime.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::{Buffer, DiskError, File, OpenMode, Runtime};

use super::Method;
use crate::measure::Latencies;

/// Size of a write when the file is filled. Bytes.
const FILL_WRITE_SIZE: usize = 1 << 20;

/// What one contestant did in its turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    /// Of each operation.
    pub(crate) latencies: Latencies,
    /// Bytes made durable.
    pub(crate) bytes: u64,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

impl Turn {
    /// Millions of bytes per second.
    pub(crate) fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.elapsed.as_secs_f64()
    }
}

/// An open file all of whose blocks have been written.
pub(crate) struct Target<R: Runtime> {
    runtime: R,
    file: R::File,
    size: u64,
    method: Method,
    next: Cell<u64>,
}

impl<R: Runtime> Target<R> {
    /// Makes the file `path` with `size` bytes, all of them written and flushed. `size` is a multiple of 1 MiB.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn fill(runtime: &R, path: &Path, size: u64) -> Result<(), DiskError> {
        assert!(size.is_multiple_of(FILL_WRITE_SIZE as u64), "the file is filled by whole writes");
        let file = runtime.open(path, Method::Flush.file_kind(), OpenMode::Create).await?;
        file.allocate(size).await?;
        let buffer = random_buffer(runtime, FILL_WRITE_SIZE);
        for position in (0..size).step_by(FILL_WRITE_SIZE) {
            file.write_at(Rc::clone(&buffer), position).await?;
        }
        file.flush().await
    }

    /// Opens the file that [`Target::fill`] made.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn open(runtime: &R, path: &Path, method: Method) -> Result<Self, DiskError> {
        Self::open_at(runtime, path, method, 0).await
    }

    /// As [`Target::open`]; the first write goes to `position`.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn open_at(
        runtime: &R,
        path: &Path,
        method: Method,
        position: u64,
    ) -> Result<Self, DiskError> {
        let file = runtime.open(path, method.file_kind(), OpenMode::Existing).await?;
        let size = file.len().await?;
        Ok(Self { runtime: runtime.clone(), file, size, method, next: Cell::new(position) })
    }

    /// Where the next write goes.
    pub(crate) fn position(&self) -> u64 {
        self.next.get()
    }

    /// Writes `write_size` bytes durably, one write at a time, each behind the one before, for `duration`.
    ///
    /// Every write carries bytes that were just made, as an append does (and as fio does): the host of a virtual
    /// disk copies the same bytes faster when it has seen them before. The clock stands still while they are made.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn run(&self, write_size: usize, duration: Duration) -> Result<Turn, DiskError> {
        let source = random_buffer(&self.runtime, write_size);
        let mut buffer = random_buffer(&self.runtime, write_size);
        let mut turn = Turn::default();
        while turn.elapsed < duration {
            let fresh = Rc::get_mut(&mut buffer).expect("a write that has ended holds no buffer");
            fresh.bytes_mut().copy_from_slice(source.bytes());
            let operation_begin = self.runtime.now();
            self.write(&buffer).await?;
            let elapsed = self.runtime.now().since(operation_begin);
            turn.latencies.record(elapsed);
            turn.bytes += write_size as u64;
            turn.elapsed += elapsed;
        }
        Ok(turn)
    }

    /// One durable write.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn write(&self, buffer: &Rc<R::Buffer>) -> Result<(), DiskError> {
        let size = buffer.bytes().len() as u64;
        assert!(size <= self.size, "the file is larger than one write");
        let position = if self.next.get() + size > self.size { 0 } else { self.next.get() };
        self.next.set(position + size);
        self.file.write_at(Rc::clone(buffer), position).await?;
        match self.method {
            Method::Flush => self.file.flush().await,
            Method::WriteThrough => Ok(()),
        }
    }
}

/// Bytes that no device compresses.
pub(crate) fn random_buffer<R: Runtime>(runtime: &R, size: usize) -> Rc<R::Buffer> {
    let mut buffer = runtime.allocate(size);
    for word in buffer.bytes_mut().chunks_exact_mut(8) {
        word.copy_from_slice(&runtime.random().to_le_bytes());
    }
    Rc::new(buffer)
}
