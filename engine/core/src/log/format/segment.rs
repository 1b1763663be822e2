//! The header of a segment file, and the trailer that locates its footer.

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::{ENVELOPE_SIZE, Kind};

use super::bytes::{put, seeded_checksum, u16_at, u32_at, u64_at};
use super::entry::ArchivedEntryV1;
use super::{EntryV1, FrameError};
use crate::limits::BLOCK_SIZE;
use crate::model::{Generation, Incarnation, LogId, Position, SegmentId, Sequence};

/// Bytes of a segment's header, at the beginning of the file's first block.
pub const SEGMENT_HEADER_SIZE: usize = 64;

/// First bytes of a segment file.
pub const SEGMENT_MAGIC: [u8; 8] = *b"THALWEGS";

/// Bytes of the trailer, at the beginning of the segment's last block.
pub const FOOTER_TRAILER_SIZE: usize = 96;

/// First bytes of a footer's trailer.
pub const FOOTER_MAGIC: [u8; 8] = *b"THALWEGI";

const VERSION: u16 = 1;
const HEADER_CHECKSUM_AT: usize = SEGMENT_HEADER_SIZE - 4;
const TRAILER_CHECKSUM_AT: usize = FOOTER_TRAILER_SIZE - 4;
const FLAG_WRITTEN: u32 = 1;

/// What the first block of a segment file says. Durable before any frame is written behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentHeader {
    /// The log that the file belongs to.
    pub log: LogId,
    /// The file.
    pub segment: SegmentId,
    /// The life of the file that begins with this header.
    pub generation: Generation,
    /// The start that prepared it.
    pub incarnation: Incarnation,
    /// Bytes of the file.
    pub size: u32,
    /// Every byte of the file has been written at least once.
    pub written: bool,
}

impl SegmentHeader {
    /// Writes the header to the first [`SEGMENT_HEADER_SIZE`] bytes of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    pub fn encode(&self, out: &mut [u8]) {
        let out = &mut out[..SEGMENT_HEADER_SIZE];
        out.fill(0);
        put(out, 0, &SEGMENT_MAGIC);
        put(out, 8, &VERSION.to_le_bytes());
        put(out, 10, &(SEGMENT_HEADER_SIZE as u16).to_le_bytes());
        put(out, 12, &self.segment.0.to_le_bytes());
        put(out, 16, &self.log.0.to_le_bytes());
        put(out, 24, &self.generation.0.to_le_bytes());
        put(out, 32, &self.incarnation.0.to_le_bytes());
        put(out, 36, &self.size.to_le_bytes());
        put(out, 40, &(if self.written { FLAG_WRITTEN } else { 0 }).to_le_bytes());
        let checksum = seeded_checksum(self.log, &out[..HEADER_CHECKSUM_AT]);
        put(out, HEADER_CHECKSUM_AT, &checksum.to_le_bytes());
    }

    /// Reads the header of a segment of `log` at the start of `bytes`.
    ///
    /// # Errors
    /// [`FrameError`], except for the variants of directory and payload.
    pub fn decode(bytes: &[u8], log: LogId) -> Result<Self, FrameError> {
        let bytes = bytes.first_chunk::<SEGMENT_HEADER_SIZE>().ok_or(FrameError::NotAFrame)?;
        check(bytes, log, &SEGMENT_MAGIC, HEADER_CHECKSUM_AT)?;
        Ok(Self {
            log,
            segment: SegmentId(u32_at(bytes, 12)),
            generation: Generation(u64_at(bytes, 24)),
            incarnation: Incarnation(u32_at(bytes, 32)),
            size: u32_at(bytes, 36),
            written: u32_at(bytes, 40) & FLAG_WRITTEN != 0,
        })
    }
}

/// The index of a sealed segment, version 1.
///
/// One row per batch: its entry, with `position` counted from the segment's beginning. Sorted by stream
/// (partitions by id, then outboxes by target shard), then by base.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct FooterV1 {
    /// The rows.
    pub rows: Vec<EntryV1>,
}

impl Kind for FooterV1 {
    const TYPE: u16 = 2;
    const VERSION: u16 = 1;
}

/// Bytes of an archived [`FooterV1`] with `rows` rows, envelope included: exact.
#[must_use]
pub const fn footer_archive_size(rows: usize) -> usize {
    ENVELOPE_SIZE + rows * size_of::<ArchivedEntryV1>() + size_of::<ArchivedFooterV1>()
}

/// Bytes at the end of a segment that its footer takes with `rows` rows: archive and trailer, whole blocks.
#[must_use]
pub const fn footer_size(rows: usize) -> usize {
    footer_archive_size(rows).next_multiple_of(BLOCK_SIZE) + BLOCK_SIZE
}

/// What the last block of a sealed segment says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FooterTrailer {
    /// The log.
    pub log: LogId,
    /// The segment file.
    pub segment: SegmentId,
    /// The life of the file that the footer describes.
    pub generation: Generation,
    /// The start that wrote the footer.
    pub incarnation: Incarnation,
    /// First frame of the segment.
    pub first: Sequence,
    /// Last frame of the segment; it and all before it were durable when the footer was written.
    pub last: Sequence,
    /// Where the frames end.
    pub frames_end: Position,
    /// Where the archive begins: a block.
    pub archive_position: Position,
    /// Bytes of the archive, envelope included.
    pub archive_size: u32,
    /// CRC-32 over the archive, envelope included.
    pub archive_checksum: u32,
}

impl FooterTrailer {
    /// Writes the trailer to the first [`FOOTER_TRAILER_SIZE`] bytes of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    pub fn encode(&self, out: &mut [u8]) {
        let out = &mut out[..FOOTER_TRAILER_SIZE];
        out.fill(0);
        put(out, 0, &FOOTER_MAGIC);
        put(out, 8, &VERSION.to_le_bytes());
        put(out, 10, &(FOOTER_TRAILER_SIZE as u16).to_le_bytes());
        put(out, 12, &self.segment.0.to_le_bytes());
        put(out, 16, &self.log.0.to_le_bytes());
        put(out, 24, &self.generation.0.to_le_bytes());
        put(out, 32, &self.incarnation.0.to_le_bytes());
        put(out, 36, &self.frames_end.0.to_le_bytes());
        put(out, 40, &self.first.0.to_le_bytes());
        put(out, 48, &self.last.0.to_le_bytes());
        put(out, 56, &self.archive_position.0.to_le_bytes());
        put(out, 60, &self.archive_size.to_le_bytes());
        put(out, 64, &self.archive_checksum.to_le_bytes());
        let checksum = seeded_checksum(self.log, &out[..TRAILER_CHECKSUM_AT]);
        put(out, TRAILER_CHECKSUM_AT, &checksum.to_le_bytes());
    }

    /// Reads the trailer of a segment of `log` at the start of `bytes`.
    ///
    /// # Errors
    /// [`FrameError`], except for the variants of directory and payload.
    pub fn decode(bytes: &[u8], log: LogId) -> Result<Self, FrameError> {
        let bytes = bytes.first_chunk::<FOOTER_TRAILER_SIZE>().ok_or(FrameError::NotAFrame)?;
        check(bytes, log, &FOOTER_MAGIC, TRAILER_CHECKSUM_AT)?;
        Ok(Self {
            log,
            segment: SegmentId(u32_at(bytes, 12)),
            generation: Generation(u64_at(bytes, 24)),
            incarnation: Incarnation(u32_at(bytes, 32)),
            frames_end: Position(u32_at(bytes, 36)),
            first: Sequence(u64_at(bytes, 40)),
            last: Sequence(u64_at(bytes, 48)),
            archive_position: Position(u32_at(bytes, 56)),
            archive_size: u32_at(bytes, 60),
            archive_checksum: u32_at(bytes, 64),
        })
    }
}

/// Checks what headers of a log's files share: magic, log id at 16, checksum in the last four bytes, version
/// and size at 8.
pub(super) fn check(bytes: &[u8], log: LogId, magic: &[u8; 8], checksum_at: usize) -> Result<(), FrameError> {
    if bytes[..8] != *magic {
        return Err(FrameError::NotAFrame);
    }
    let found = u64_at(bytes, 16);
    if found != log.0 {
        return Err(FrameError::OtherLog { found });
    }
    if u32_at(bytes, checksum_at) != seeded_checksum(log, &bytes[..checksum_at]) {
        return Err(FrameError::Corrupt { what: "the header does not have its checksum" });
    }
    let version = u16_at(bytes, 8);
    if version > VERSION {
        return Err(FrameError::NewerVersion { found: version, known: VERSION });
    }
    if version != VERSION || usize::from(u16_at(bytes, 10)) != checksum_at + 4 {
        return Err(FrameError::Corrupt { what: "version or size of the header" });
    }
    Ok(())
}
