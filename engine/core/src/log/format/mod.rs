//! The bytes on disk: one file per structure. FORMAT.md describes them for readers of other languages.
//!
//! Invariants: no decoder panics, whatever the bytes; every length is checked before it is used; a header is
//! accepted only with a checksum that is seeded with the log's own id.

mod bytes;
mod checkpoint;
mod directory;
mod entry;
mod frame;
mod regroup;
mod segment;
mod superblock;

pub use checkpoint::{
    ArchivedRowTableV1, ArchivedSegmentTableV2, ArchivedStreamTableV2, CHECKPOINT_HEADER_SIZE,
    CHECKPOINT_MAGIC, CheckpointHeader, RootV2, RowTableV1, SLICE_HEADER_SIZE, SegmentRowV2, SegmentTableV2,
    SliceHeader, SliceOwner, StreamRowV2, StreamTableV2,
};
pub use directory::{Directory, DirectoryV1, directory_size_for, encode_directory, read_directory};
pub use entry::{
    ALL_GROUPS, CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_NONE, Entry, EntryKind, EntryV1, payload_checksum,
    verify_payload,
};
pub use frame::{
    FRAME_FLAG_STORE, FRAME_FORMAT_VERSION, FRAME_HEADER_SIZE, FRAME_MAGIC, FrameError, FrameHeader,
};
pub use regroup::{RegroupV1, StorePartV1, StoreRestV1, StoreSourceV1, read_regroup, regroup_size_max};
pub use segment::{
    ArchivedFooterV1, FOOTER_MAGIC, FOOTER_TRAILER_SIZE, FooterTrailer, FooterV1, SEGMENT_HEADER_SIZE,
    SEGMENT_MAGIC, SegmentHeader, footer_archive_size, footer_size,
};
pub use superblock::{
    CheckpointName, LogOwner, ReplayStart, SUPERBLOCK_MAGIC, SUPERBLOCK_SIZE, Superblock, SuperblockChoice,
    choose_superblock,
};
