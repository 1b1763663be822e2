//! How much room there is, planned ahead of the writes, and who may take it.
//!
//! # Why a full disk can always be trimmed
//!
//! A trim is a frame, and so is the retirement of a segment: giving room back takes room. So that it never runs
//! out, frames have a [`Purpose`], and each leaves room for those after it. Let *spare* be the segment files that
//! exist, whole and durable, and hold no frame in use: those ready, those free, less those that a planned roll
//! takes. Spare falls only by a roll, or where batches are moved into a store segment, by one each, and rises by a committed
//! retirement, by one, or by a new file.
//!
//! - **Ordinary** frames leave spare at [`SEGMENTS_RESERVED`] (two) or above. Frames without entries count among
//!   them: they are an optimisation, and are left out when there is less. A roll for them leaves [`SEGMENTS_KEPT`] (three).
//! - **A store segment** is taken only where [`SEGMENTS_RESERVED`] (two) stay: after a roll for records there is one. The frame that
//!   says what was moved is relief: it makes segments die and holds no record.
//! - **Relief** (nothing but trims, deletes and the like) may take all of the spare. With nothing spare it leaves
//!   [`RETIREMENT_ROOM`] in the segment that is written to.
//! - **Retirement** leaves nothing.
//!
//! 1. *A segment that is left with one spare holds no record.* An ordinary frame in it would have left two spare, store
//!    segments leave two, and only the roll that leaves the segment takes one of them.
//! 2. *With nothing spare there is a segment that can be retired, and room to say so.* Spare fell to nothing by the
//!    roll out of such a segment: it is ended and without live bytes, so two checkpoints, which take no room here
//!    ([`CheckpointRoom`](crate::log::checkpoint::CheckpointRoom) says why), make it dead. Of the segment behind the
//!    roll relief leaves a block, and only retirement takes it. So when it is taken a retirement is in it: committed,
//!    it makes a segment spare; torn, its place is free again.
//! 3. *With a segment spare there is a frame that fits*, behind a roll, whose room and whose footer's are kept in
//!    every segment.
//!
//! So relief and retirement are refused for a while at most, however many there are, and whatever is wholly dead
//! is given back in the end. A crash changes nothing: what recovery finds is the state after some frame, and all of
//! the above holds after every frame; a start by itself writes no frame, but after damage that was accepted, and
//! that one is relief. Files become spare only once their size and name are durable, so that no loss of power takes
//! them. A folder made before there was a reserve takes no ordinary frames until it has one. A spare segment is given up
//! for larger checkpoint files only while there are more than three, so that these are what ordinary frames find.

#[cfg(doc)]
use crate::limits::SEGMENTS_KEPT;
use crate::limits::{BLOCK_SIZE, RETIREMENT_ROOM, SEGMENTS_RESERVED};
use crate::log::format::footer_size;

/// What a frame, or the entries that are to go into one, is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::log) enum Purpose {
    /// Anything that may hold records; frames without entries.
    Ordinary,
    /// Only trims and deletes: it lets the log give room back.
    Relief,
    /// Retires segments: it gives room back.
    Retirement,
}

impl Purpose {
    /// Bytes that such a frame leaves in its segment with `spare` segments behind it; `None` if none may be
    /// written.
    fn leaves(self, spare: usize) -> Option<usize> {
        match self {
            Self::Ordinary => (spare >= SEGMENTS_RESERVED).then_some(0),
            Self::Relief => Some(if spare == 0 { RETIREMENT_ROOM } else { 0 }),
            Self::Retirement => Some(0),
        }
    }
}

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
    fn fits(&self, size: usize, rows: usize) -> bool {
        self.position + size + BLOCK_SIZE + footer_size(self.rows + rows) <= self.segment_size
    }

    /// Whether it fits and leaves what its purpose has to leave with `spare` segments behind it.
    pub(super) fn allows(&self, size: usize, rows: usize, purpose: Purpose, spare: usize) -> bool {
        match purpose.leaves(spare) {
            Some(0) => self.fits(size, rows),
            // What is left is for a frame with an entry.
            Some(left) => self.fits(size + left, rows + 1),
            None => false,
        }
    }

    /// Whether it would fit into an empty segment, whatever is behind that.
    pub(super) fn fits_empty(&self, size: usize, rows: usize) -> bool {
        Self { position: BLOCK_SIZE, rows: 0, ..*self }.fits(size + RETIREMENT_ROOM, rows + 1)
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
