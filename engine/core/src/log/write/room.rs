//! How much room a segment has left, planned ahead of the writes.

use crate::limits::{BLOCK_SIZE, RELIEF_ROOM_MIN};
use crate::log::format::footer_size;

/// Room in the segment that the frames closed last go to.
///
/// Room for the frame that rolls and for the footer is always kept: a log never needs a segment in order to
/// leave one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::log) struct Room {
    segment_size: usize,
    /// Where the next frame begins.
    position: usize,
    /// Entries so far: each may need a row in the footer.
    rows: usize,
}

impl Room {
    pub(in crate::log) fn new(segment_size: usize, position: usize, rows: usize) -> Self {
        Self { segment_size, position, rows }
    }

    /// Whether a frame of `size` bytes with `rows` entries fits.
    pub(super) fn fits(&self, size: usize, rows: usize) -> bool {
        self.position + size + BLOCK_SIZE + footer_size(self.rows + rows) <= self.segment_size
    }

    /// Whether it fits and leaves room for frames that give room back.
    pub(super) fn fits_with_relief(&self, size: usize, rows: usize) -> bool {
        self.fits(size + RELIEF_ROOM_MIN.max(self.segment_size / 16), rows)
    }

    /// Whether it would fit into an empty segment.
    pub(super) fn fits_empty(&self, size: usize, rows: usize) -> bool {
        Self { position: BLOCK_SIZE, rows: 0, ..*self }.fits(size, rows)
    }

    /// A frame is planned.
    pub(super) fn take(&mut self, size: usize, rows: usize) {
        assert!(self.fits(size, rows), "a frame is closed only where it fits");
        self.position += size;
        self.rows += rows;
    }

    /// The log goes on in an empty segment.
    pub(super) fn roll(&mut self) {
        self.position = BLOCK_SIZE;
        self.rows = 0;
    }
}
