//! The bytes on disk: one file per structure. FORMAT.md describes them for readers of other languages.
//!
//! Invariants: no decoder panics, whatever the bytes; every length is checked before it is used; a header is
//! accepted only with a checksum that is seeded with the log's own id.

mod bytes;
mod directory;
mod entry;
mod frame;

pub use directory::{Directory, DirectoryV1, directory_size_for, encode_directory, read_directory};
pub use entry::{
    CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_NONE, Entry, EntryKind, EntryV1, payload_checksum,
    verify_payload,
};
pub use frame::{FRAME_FORMAT_VERSION, FRAME_HEADER_SIZE, FRAME_MAGIC, FrameError, FrameHeader};
