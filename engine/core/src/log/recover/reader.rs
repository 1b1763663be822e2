//! Reading a segment from front to back.

use crate::io::{Buffer, DiskError, File, Runtime};
use crate::limits::{BLOCK_SIZE, RECOVERY_READ_SIZE};

/// Reads ahead in one segment file.
pub(in crate::log) struct SegmentReader<R: Runtime> {
    file: R::File,
    size: u32,
    window: Option<(u32, R::Buffer)>,
}

impl<R: Runtime> SegmentReader<R> {
    /// A reader of a segment of `size` bytes.
    pub(in crate::log) fn new(file: R::File, size: u32) -> Self {
        Self { file, size, window: None }
    }

    /// The bytes at `position`, `size` of them unless the segment ends; more if they are there.
    pub(in crate::log) async fn bytes(&mut self, position: u32, size: usize) -> Result<&[u8], DiskError> {
        debug_assert!((position as usize).is_multiple_of(BLOCK_SIZE));
        let wanted = size.min(self.size.saturating_sub(position) as usize);
        let there = self.window.as_ref().is_some_and(|(start, buffer)| {
            *start <= position && position as usize + wanted <= *start as usize + buffer.bytes().len()
        });
        if !there {
            let ahead = wanted.max(RECOVERY_READ_SIZE).next_multiple_of(BLOCK_SIZE);
            let ahead = ahead.min(self.size.saturating_sub(position) as usize);
            let buffer = self.file.read_at(u64::from(position), ahead).await?;
            self.window = Some((position, buffer));
        }
        let (start, buffer) = self.window.as_ref().expect("it was just filled");
        // Short where the file is shorter than a segment.
        Ok(buffer.bytes().get((position - start) as usize..).unwrap_or_default())
    }
}
