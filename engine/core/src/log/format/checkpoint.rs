//! Checkpoint files: a header, then slices, each an archive with a checksum of its own.

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::Kind;

use super::bytes::{put, seeded_checksum, u32_at, u64_at};
use super::segment::check;
use super::{EntryV1, FrameError};
use crate::limits::{CHECKPOINT_SLICE_SIZE_MAX, PAYLOAD_ALIGN};
use crate::model::{LogId, Sequence};

/// Bytes of a checkpoint file before its first slice.
pub const CHECKPOINT_HEADER_SIZE: usize = 64;

/// Bytes before the archive of a slice.
pub const SLICE_HEADER_SIZE: usize = 16;

/// First bytes of a checkpoint file.
pub const CHECKPOINT_MAGIC: [u8; 8] = *b"THALWEGC";

const CHECKSUM_AT: usize = CHECKPOINT_HEADER_SIZE - 4;

/// The beginning of a checkpoint file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckpointHeader {
    /// The log.
    pub log: LogId,
    /// Counter of the superblock that names this checkpoint.
    pub counter: u64,
    /// Last frame that the checkpoint covers.
    pub sequence: Sequence,
}

impl CheckpointHeader {
    /// The header's bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; CHECKPOINT_HEADER_SIZE] {
        let mut out = [0; CHECKPOINT_HEADER_SIZE];
        put(&mut out, 0, &CHECKPOINT_MAGIC);
        put(&mut out, 8, &1u16.to_le_bytes());
        put(&mut out, 10, &(CHECKPOINT_HEADER_SIZE as u16).to_le_bytes());
        put(&mut out, 16, &self.log.0.to_le_bytes());
        put(&mut out, 24, &self.counter.to_le_bytes());
        put(&mut out, 32, &self.sequence.0.to_le_bytes());
        let checksum = seeded_checksum(self.log, &out[..CHECKSUM_AT]);
        put(&mut out, CHECKSUM_AT, &checksum.to_le_bytes());
        out
    }

    /// Reads the header of a checkpoint of `log` at the start of `bytes`.
    ///
    /// # Errors
    /// [`FrameError`], except for the variants of directory and payload.
    pub fn decode(bytes: &[u8], log: LogId) -> Result<Self, FrameError> {
        let bytes = bytes.first_chunk::<CHECKPOINT_HEADER_SIZE>().ok_or(FrameError::NotAFrame)?;
        check(bytes, log, &CHECKPOINT_MAGIC, CHECKSUM_AT)?;
        Ok(Self { log, counter: u64_at(bytes, 24), sequence: Sequence(u64_at(bytes, 32)) })
    }
}

/// Whose slice it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum SliceOwner {
    /// The log's own tables.
    Log = 0,
    /// The state machine's.
    State = 1,
}

/// What precedes a slice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SliceHeader {
    /// Bytes of the slice; padding up to [`PAYLOAD_ALIGN`] follows it.
    pub size: u32,
    /// CRC-32 over size, owner and those bytes.
    pub checksum: u32,
    /// Whose it is.
    pub owner: SliceOwner,
}

impl SliceHeader {
    /// The header of `slice`.
    ///
    /// # Panics
    /// If the slice exceeds [`CHECKPOINT_SLICE_SIZE_MAX`].
    #[must_use]
    pub fn of(slice: &[u8], owner: SliceOwner) -> Self {
        assert!(slice.len() <= CHECKPOINT_SLICE_SIZE_MAX, "slices are cut smaller");
        let size = slice.len() as u32;
        Self { size, checksum: slice_checksum(size, owner, slice), owner }
    }

    /// Whether `slice` and this header have their checksum.
    #[must_use]
    pub fn is_of(&self, slice: &[u8]) -> bool {
        self.checksum == slice_checksum(self.size, self.owner, slice)
    }

    /// The header's bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; SLICE_HEADER_SIZE] {
        let mut out = [0; SLICE_HEADER_SIZE];
        put(&mut out, 0, &self.size.to_le_bytes());
        put(&mut out, 4, &self.checksum.to_le_bytes());
        put(&mut out, 8, &(self.owner as u32).to_le_bytes());
        out
    }

    /// Reads the header of a slice; `None` if it cannot be one.
    #[must_use]
    pub fn decode(bytes: &[u8; SLICE_HEADER_SIZE]) -> Option<Self> {
        let owner = match u32_at(bytes, 8) {
            0 => SliceOwner::Log,
            1 => SliceOwner::State,
            _ => return None,
        };
        let size = u32_at(bytes, 0);
        (size as usize <= CHECKPOINT_SLICE_SIZE_MAX).then_some(Self {
            size,
            checksum: u32_at(bytes, 4),
            owner,
        })
    }

    /// Bytes of the slice with its padding.
    #[must_use]
    pub fn padded_size(&self) -> usize {
        (self.size as usize).next_multiple_of(PAYLOAD_ALIGN)
    }
}

fn slice_checksum(size: u32, owner: SliceOwner, slice: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&size.to_le_bytes());
    hasher.update(&(owner as u32).to_le_bytes());
    hasher.update(slice);
    hasher.finalize()
}

/// One segment that holds frames.
#[derive(Archive, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct SegmentRowV2 {
    /// The file.
    pub segment: u32,
    /// Its life.
    pub generation: u64,
    /// First frame in it; 0 if there is none yet.
    pub first: u64,
    /// Last frame in it that the checkpoint covers; 0 if there is none.
    pub last: u64,
    /// Where the frames that the checkpoint covers end.
    pub end: u32,
    /// A roll has ended it.
    pub sealed: bool,
    /// Its footer is durable; if not, its rows are in this checkpoint.
    pub footer: bool,
    /// A store segment: its frames are no part of the log's sequence, and are numbered from 1.
    pub store: bool,
    /// Runs of batches of one stream that lie one behind the other.
    pub runs: u32,
}

/// Segments that hold frames, or a part of them.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct SegmentTableV2 {
    /// In order of their first frames; then store segments.
    pub segments: Vec<SegmentRowV2>,
}

impl Kind for SegmentTableV2 {
    const TYPE: u16 = 3;
    const VERSION: u16 = 2;
}

/// The part of a stream that lies in one segment.
#[derive(Archive, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct RootV2 {
    /// The segment.
    pub segment: u32,
    /// First offset in it.
    pub base: u64,
    /// Offset behind the last in it.
    pub end: u64,
    /// Bytes of the stream's batches in it.
    pub bytes: u64,
    /// Largest timestamp of the stream's batches in it. Milliseconds since 1970.
    pub timestamp_max: i64,
}

/// One stream.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct StreamRowV2 {
    /// The stream.
    pub stream: u64,
    /// First offset kept.
    pub start: u64,
    /// Offset behind the last.
    pub end: u64,
    /// Where it lies, in order.
    pub roots: Vec<RootV2>,
}

/// Streams, or a part of them.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct StreamTableV2 {
    /// In order of their ids.
    pub streams: Vec<StreamRowV2>,
}

impl Kind for StreamTableV2 {
    const TYPE: u16 = 4;
    const VERSION: u16 = 2;
}

/// Rows of one segment without a durable footer, or a part of them.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct RowTableV1 {
    /// The segment.
    pub segment: u32,
    /// As in [`FooterV1`](super::FooterV1).
    pub rows: Vec<EntryV1>,
}

impl Kind for RowTableV1 {
    const TYPE: u16 = 5;
    const VERSION: u16 = 1;
}
