//! One entry of a directory, and the checksum of the payload that it describes.

use rkyv::{Archive, Deserialize, Serialize};

use super::FrameError;

/// Checksum kind: none, for an entry without payload.
pub const CHECKSUM_NONE: u8 = 0;
/// Checksum kind: CRC-32 (IEEE).
pub const CHECKSUM_CRC32: u8 = 1;
/// Checksum kind: CRC-32C (Castagnoli), as it came with a foreign batch.
pub const CHECKSUM_CRC32C: u8 = 2;

/// What an entry of a directory is about.
///
/// An entry of a kind that this code does not know keeps its number; see [`Entry::kind`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u16)]
pub enum EntryKind {
    /// Records of a partition.
    Batch = 1,
    /// Records on their way to another shard.
    OutboxBatch = 2,
    /// How far another shard's outbox has been taken in.
    OutboxPosition = 3,
    /// A partition's first offset was raised.
    LogStart = 4,
    /// A partition is no more.
    PartitionDeleted = 5,
    /// A change of the catalog.
    CatalogChange = 6,
    /// The log goes on in another segment: the subject; its generation is the base.
    Roll = 7,
    /// A segment holds nothing live any more.
    SegmentRetired = 8,
    /// Changes of a state store.
    StoreDelta = 9,
    /// How far a task has read its input.
    InputPosition = 10,
    /// An outbox was cut at its front.
    OutboxTrim = 11,
    /// A state store is no more.
    StoreDropped = 12,
    /// A state store was given its number.
    StoreNamed = 13,
    /// A topic was deleted from the catalog. Not a [`EntryKind::CatalogChange`], so that there is room for it when the
    /// disk is full.
    TopicDeleted = 14,
    /// Batches were moved into a store segment: the subject; its generation is the base, a
    /// [`RegroupV1`](super::RegroupV1) the payload.
    Regrouped = 15,
    /// What the log's own clock says: the milliseconds since the log was made are the base; what the wall clock would say if
    /// only these had passed the owner, and what it said the largest timestamp. Producers that have been silent for as many
    /// milliseconds as the subject says are forgotten; 0: none.
    Clock = 16,
    /// A group committed offsets, all of its payload.
    OffsetsCommitted = 18,
    /// A coordinator's record of a group was set; its version is the base.
    GroupRecord = 19,
    /// A group is no more.
    GroupDeleted = 20,
    /// Committed offsets were let go of: those of `count` partitions from the base on, of the group that is the subject, or of
    /// all groups of the shard if that is [`ALL_GROUPS`].
    OffsetsDeleted = 21,
    /// Batches of a partition were replaced: those from the base up to the owner, by the [`EntryKind::CompactedBatch`]es of
    /// the same frame. The count says how many bytes fewer these have, the sequence how many bytes stay of the last
    /// segment's part, and the largest timestamp is that of what stays.
    Compacted = 17,
    /// Records that a compaction left, at offsets from the base up to the owner, not dense.
    CompactedBatch = 22,
    /// A partition was compacted up to the base; at the owner by the log's clock. The count says how many tombstones lie
    /// before; those before the offset that is the largest timestamp are gone.
    CompactionMark = 23,
}

/// Subject of an [`EntryKind::OffsetsDeleted`] that is about every group of its shard.
pub const ALL_GROUPS: u64 = u64::MAX;

impl EntryKind {
    /// The kind of this number, if this code knows it.
    #[must_use]
    pub fn from_raw(raw: u16) -> Option<Self> {
        Some(match raw {
            1 => Self::Batch,
            2 => Self::OutboxBatch,
            3 => Self::OutboxPosition,
            4 => Self::LogStart,
            5 => Self::PartitionDeleted,
            6 => Self::CatalogChange,
            7 => Self::Roll,
            8 => Self::SegmentRetired,
            9 => Self::StoreDelta,
            10 => Self::InputPosition,
            11 => Self::OutboxTrim,
            12 => Self::StoreDropped,
            13 => Self::StoreNamed,
            14 => Self::TopicDeleted,
            15 => Self::Regrouped,
            16 => Self::Clock,
            18 => Self::OffsetsCommitted,
            19 => Self::GroupRecord,
            20 => Self::GroupDeleted,
            21 => Self::OffsetsDeleted,
            17 => Self::Compacted,
            22 => Self::CompactedBatch,
            23 => Self::CompactionMark,
            _ => return None,
        })
    }

    /// Whether such an entry only lets go of something, so that the log may give room back.
    #[must_use]
    pub fn lets_go(self) -> bool {
        matches!(
            self,
            Self::LogStart
                | Self::PartitionDeleted
                | Self::OutboxTrim
                | Self::StoreDropped
                | Self::TopicDeleted
                | Self::GroupDeleted
                | Self::OffsetsDeleted
        )
    }

    /// The number on disk.
    #[must_use]
    pub fn raw(self) -> u16 {
        self as u16
    }
}

/// One entry of a directory, version 1: an effect on one subject, with its payload if it has one.
///
/// What `subject`, `base`, `count`, `owner` and `sequence` mean follows from the kind; for records they are
/// partition, first offset, number of records, producer and first record sequence. 60 bytes on disk.
#[derive(Archive, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct EntryV1 {
    /// Number of the [`EntryKind`].
    pub kind: u16,
    /// How the payload is encoded; 0 is a native batch, or nothing.
    pub encoding: u8,
    /// [`CHECKSUM_NONE`], [`CHECKSUM_CRC32`] or [`CHECKSUM_CRC32C`].
    pub checksum_kind: u8,
    /// Epoch of the owner.
    pub epoch: u16,
    /// Leading bytes of the payload that its checksum does not cover.
    pub checksum_from: u16,
    /// What the entry is about.
    pub subject: u64,
    /// First of what it counts.
    pub base: u64,
    /// How many it counts.
    pub count: u32,
    /// Where the payload begins, from the frame's start: aligned to
    /// [`PAYLOAD_ALIGN`](crate::limits::PAYLOAD_ALIGN). 0 without payload.
    pub position: u32,
    /// Bytes of the payload; 0 without payload.
    pub length: u32,
    /// Checksum of the payload; 0 without payload.
    pub checksum: u32,
    /// Who did it.
    pub owner: u64,
    /// The owner's own number for it.
    pub sequence: u32,
    /// Largest timestamp in the payload. Milliseconds since 1970.
    pub timestamp_max: i64,
}

/// The entry as the current code uses it.
pub type Entry = EntryV1;

impl EntryV1 {
    /// The kind, if this code knows it.
    #[must_use]
    pub fn known_kind(&self) -> Option<EntryKind> {
        EntryKind::from_raw(self.kind)
    }
}

impl From<&ArchivedEntryV1> for EntryV1 {
    #[inline]
    fn from(archived: &ArchivedEntryV1) -> Self {
        Self {
            kind: archived.kind.to_native(),
            encoding: archived.encoding,
            checksum_kind: archived.checksum_kind,
            epoch: archived.epoch.to_native(),
            checksum_from: archived.checksum_from.to_native(),
            subject: archived.subject.to_native(),
            base: archived.base.to_native(),
            count: archived.count.to_native(),
            position: archived.position.to_native(),
            length: archived.length.to_native(),
            checksum: archived.checksum.to_native(),
            owner: archived.owner.to_native(),
            sequence: archived.sequence.to_native(),
            timestamp_max: archived.timestamp_max.to_native(),
        }
    }
}

/// The checksum of `bytes` without its first `from`; 0 for [`CHECKSUM_NONE`].
///
/// `None` for an unknown kind, or if `bytes` is shorter than `from`.
#[must_use]
pub fn payload_checksum(kind: u8, from: u16, bytes: &[u8]) -> Option<u32> {
    let covered = bytes.get(usize::from(from)..)?;
    match kind {
        CHECKSUM_NONE => Some(0),
        CHECKSUM_CRC32 => Some(crc32fast::hash(covered)),
        CHECKSUM_CRC32C => Some(crc32c::crc32c(covered)),
        _ => None,
    }
}

/// The payload of `entry` in `frame`, which begins with the frame's header, after a check of its checksum.
///
/// # Errors
/// [`FrameError::Payload`], if it does not have its checksum or does not lie in `frame`.
pub fn verify_payload<'a>(entry: &Entry, frame: &'a [u8]) -> Result<&'a [u8], FrameError> {
    let error = FrameError::Payload { position: entry.position, length: entry.length };
    let rest = frame.get(entry.position as usize..);
    let Some(payload) = rest.and_then(|rest| rest.get(..entry.length as usize)) else {
        return Err(error);
    };
    let checksum = payload_checksum(entry.checksum_kind, entry.checksum_from, payload);
    if checksum == Some(entry.checksum) { Ok(payload) } else { Err(error) }
}
