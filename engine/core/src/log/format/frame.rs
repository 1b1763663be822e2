//! The header of a frame.
//!
//! A frame is header, directory and payloads, in this order, and ends on a block. Layout: FORMAT.md, "Frame".

use thalweg_archive::ArchiveError;

use super::bytes::{array_at, put, seeded_checksum, u16_at, u32_at, u64_at};
use crate::limits::{BLOCK_SIZE, FRAME_SIZE_MAX, PAYLOAD_ALIGN};
use crate::model::{Generation, Incarnation, LogId, Position, SegmentId, Sequence};

/// Bytes of a frame's header; the directory follows it.
pub const FRAME_HEADER_SIZE: usize = 128;

/// First bytes of every frame.
pub const FRAME_MAGIC: [u8; 8] = *b"THALWEGF";

/// Version of the frame format that this code writes, and the newest that it reads.
pub const FRAME_FORMAT_VERSION: u16 = 1;

/// Flag of a frame in a store segment: it is no part of the log's sequence, and is numbered within its segment.
pub const FRAME_FLAG_STORE: u32 = 1;

const CHECKSUM_AT: usize = FRAME_HEADER_SIZE - 4;

const _: () = assert!(FRAME_SIZE_MAX.is_multiple_of(BLOCK_SIZE), "frames end on a block");
const _: () = assert!(FRAME_HEADER_SIZE.is_multiple_of(PAYLOAD_ALIGN), "a payload may follow the header");

/// What the first [`FRAME_HEADER_SIZE`] bytes of a frame say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FrameHeader {
    /// The log that the frame belongs to.
    pub log: LogId,
    /// Segment file that it was written to.
    pub segment: SegmentId,
    /// Life of that file in which it was written.
    pub generation: Generation,
    /// Where in the segment it begins: a multiple of [`BLOCK_SIZE`], behind the segment's header.
    pub position: Position,
    /// Bytes of the whole frame: a multiple of [`BLOCK_SIZE`], at most [`FRAME_SIZE_MAX`].
    pub length: u32,
    /// Its place in the log's order, from 1; of a store frame, in its segment.
    pub sequence: Sequence,
    /// Highest sequence known durable when the frame was built; below `sequence`.
    pub durable_up_to: Sequence,
    /// The start that wrote it.
    pub incarnation: Incarnation,
    /// [`FrameHeader::checksum`] of the frame before; 0 for the first of a log.
    pub previous_checksum: u32,
    /// Entries in the directory.
    pub entry_count: u32,
    /// Bytes of the directory, which begins at [`FRAME_HEADER_SIZE`].
    pub directory_size: u32,
    /// CRC-32 over the directory's bytes.
    pub directory_checksum: u32,
    /// Where the payloads begin, from the frame's start: aligned to [`PAYLOAD_ALIGN`], at or behind the
    /// directory's end.
    pub payload_start: u32,
    /// Where the last payload ends, from the frame's start; at or behind `payload_start`, in the last block.
    pub payload_end: u32,
    /// [`FRAME_FLAG_STORE`], or nothing.
    pub flags: u32,
    /// CRC-32 over log id and header. [`FrameHeader::encode`] ignores it and returns the new one.
    pub checksum: u32,
}

/// Why bytes are not the frame, or the part of a frame, that was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// Zeros or foreign bytes: nothing here was ever a frame.
    #[error("not a frame")]
    NotAFrame,
    /// A frame's magic with another log's id: a leftover of another folder, or a payload that holds a frame.
    #[error("frame of log {found:016x}, not of this log")]
    OtherLog {
        /// Log id in the header.
        found: u64,
    },
    /// A sound header of a format that this reader does not know.
    #[error("frame of format {found}; this program reads formats up to {known}")]
    NewerVersion {
        /// Version in the header.
        found: u16,
        /// Newest version that this code reads.
        known: u16,
    },
    /// A frame once, but not whole: torn or damaged.
    #[error("corrupt frame: {what}")]
    Corrupt {
        /// The first contradiction.
        what: &'static str,
    },
    /// The directory kept its checksum and is nevertheless not the archive expected.
    #[error("directory of a frame does not read")]
    Directory {
        /// What the archive says.
        #[source]
        source: ArchiveError,
    },
    /// A payload does not have its checksum.
    #[error("payload of {length} bytes at byte {position} of its frame does not have its checksum")]
    Payload {
        /// Where the payload begins, from the frame's start.
        position: u32,
        /// Its bytes.
        length: u32,
    },
}

impl From<ArchiveError> for FrameError {
    fn from(source: ArchiveError) -> Self {
        match source {
            ArchiveError::UnknownVersion { found, known, .. } => Self::NewerVersion { found, known },
            source => Self::Directory { source },
        }
    }
}

impl FrameHeader {
    /// Writes the header to the first [`FRAME_HEADER_SIZE`] bytes of `out` and returns its checksum.
    ///
    /// # Panics
    /// If `out` is shorter, or the header contradicts itself: [`FrameHeader::decode`] would refuse it.
    pub fn encode(&self, out: &mut [u8]) -> u32 {
        assert_eq!(self.contradiction(), None, "a frame is built whole");
        let out = &mut out[..FRAME_HEADER_SIZE];
        out.fill(0);
        put(out, 0, &FRAME_MAGIC);
        put(out, 8, &FRAME_FORMAT_VERSION.to_le_bytes());
        put(out, 10, &(FRAME_HEADER_SIZE as u16).to_le_bytes());
        put(out, 12, &self.segment.0.to_le_bytes());
        put(out, 16, &self.log.0.to_le_bytes());
        put(out, 24, &self.generation.0.to_le_bytes());
        put(out, 32, &self.position.0.to_le_bytes());
        put(out, 36, &self.length.to_le_bytes());
        put(out, 40, &self.sequence.0.to_le_bytes());
        put(out, 48, &self.durable_up_to.0.to_le_bytes());
        put(out, 56, &self.incarnation.0.to_le_bytes());
        put(out, 60, &self.previous_checksum.to_le_bytes());
        put(out, 64, &self.entry_count.to_le_bytes());
        put(out, 68, &self.directory_size.to_le_bytes());
        put(out, 72, &self.directory_checksum.to_le_bytes());
        put(out, 76, &self.payload_start.to_le_bytes());
        put(out, 80, &self.payload_end.to_le_bytes());
        put(out, 84, &self.flags.to_le_bytes());
        let checksum = seeded_checksum(self.log, &out[..CHECKSUM_AT]);
        put(out, CHECKSUM_AT, &checksum.to_le_bytes());
        checksum
    }

    /// Reads the header of a frame of `log` at the start of `bytes`.
    ///
    /// Whether the frame belongs where it was found is for [`FrameHeader::belongs_at`] to say.
    ///
    /// # Errors
    /// [`FrameError`], except for the variants of directory and payload.
    pub fn decode(bytes: &[u8], log: LogId) -> Result<Self, FrameError> {
        let bytes = bytes.first_chunk::<FRAME_HEADER_SIZE>().ok_or(FrameError::NotAFrame)?;
        if bytes[..8] != FRAME_MAGIC {
            return Err(FrameError::NotAFrame);
        }
        let found = u64_at(bytes, 16);
        if found != log.0 {
            return Err(FrameError::OtherLog { found });
        }
        let checksum = u32_at(bytes, CHECKSUM_AT);
        if checksum != seeded_checksum(log, &bytes[..CHECKSUM_AT]) {
            return Err(FrameError::Corrupt { what: "the header does not have its checksum" });
        }
        // Behind the checksum, so that a flipped bit is damage and not a version to come.
        let version = u16_at(bytes, 8);
        if version > FRAME_FORMAT_VERSION {
            return Err(FrameError::NewerVersion { found: version, known: FRAME_FORMAT_VERSION });
        }
        if version != FRAME_FORMAT_VERSION || usize::from(u16_at(bytes, 10)) != FRAME_HEADER_SIZE {
            return Err(FrameError::Corrupt { what: "version or size of the header" });
        }
        let header = Self::fields(bytes, log, checksum);
        match header.contradiction() {
            Some(what) => Err(FrameError::Corrupt { what }),
            None => Ok(header),
        }
    }

    /// Whether this frame was written to `position` of this life of `segment`: if not, it is the leftover of
    /// an earlier life, or a copy inside a payload.
    #[must_use]
    pub fn belongs_at(&self, segment: SegmentId, generation: Generation, position: Position) -> bool {
        self.segment == segment && self.generation == generation && self.position == position
    }

    /// Whether it is a frame of a store segment.
    #[must_use]
    pub fn is_store(&self) -> bool {
        self.flags & FRAME_FLAG_STORE != 0
    }

    /// Where in the segment the frame ends, and the next one begins.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.position.0 + self.length)
    }

    fn fields(bytes: &[u8; FRAME_HEADER_SIZE], log: LogId, checksum: u32) -> Self {
        Self {
            log,
            segment: SegmentId(u32_at(bytes, 12)),
            generation: Generation(u64_at(bytes, 24)),
            position: Position(u32_at(bytes, 32)),
            length: u32_at(bytes, 36),
            sequence: Sequence(u64_at(bytes, 40)),
            durable_up_to: Sequence(u64_at(bytes, 48)),
            incarnation: Incarnation(u32::from_le_bytes(array_at(bytes, 56))),
            previous_checksum: u32_at(bytes, 60),
            entry_count: u32_at(bytes, 64),
            directory_size: u32_at(bytes, 68),
            directory_checksum: u32_at(bytes, 72),
            payload_start: u32_at(bytes, 76),
            payload_end: u32_at(bytes, 80),
            flags: u32_at(bytes, 84),
            checksum,
        }
    }

    /// What in this header cannot be, if anything.
    fn contradiction(&self) -> Option<&'static str> {
        let length = self.length as usize;
        let payload_end = self.payload_end as usize;
        if self.position.0 == 0 || !(self.position.0 as usize).is_multiple_of(BLOCK_SIZE) {
            return Some("the position is not that of a frame");
        }
        if !(BLOCK_SIZE..=FRAME_SIZE_MAX).contains(&length) || !length.is_multiple_of(BLOCK_SIZE) {
            return Some("the length is not that of a frame");
        }
        if self.position.0.checked_add(self.length).is_none() {
            return Some("the frame reaches beyond any segment");
        }
        if self.sequence.0 == 0 || self.durable_up_to >= self.sequence {
            return Some("the frame is known durable before it is written");
        }
        let directory_end = (self.directory_size as usize).saturating_add(FRAME_HEADER_SIZE);
        if directory_end > self.payload_start as usize {
            return Some("the directory reaches into the payloads");
        }
        if !(self.payload_start as usize).is_multiple_of(PAYLOAD_ALIGN) {
            return Some("the payloads are not aligned");
        }
        if self.payload_start > self.payload_end || payload_end.next_multiple_of(BLOCK_SIZE) != length {
            return Some("the payloads do not fill the frame");
        }
        None
    }
}
