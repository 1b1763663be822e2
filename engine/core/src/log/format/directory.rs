//! The directory of a frame: an archive of its entries.

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::{ENVELOPE_SIZE, Kind, encode_into, view};

use super::entry::ArchivedEntryV1;
use super::{CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_NONE, Entry, EntryV1};
use super::{FRAME_HEADER_SIZE, FrameError, FrameHeader};
use crate::limits::PAYLOAD_ALIGN;

/// Bytes of the archive behind its entries: relative pointer and length.
const ROOT_SIZE: usize = 8;

const _: () = assert!(size_of::<ArchivedEntryV1>() == 60, "the layout of an entry on disk is fixed");
const _: () = assert!(size_of::<ArchivedDirectoryV1>() == ROOT_SIZE, "the root is pointer and length");

/// The directory of a frame, version 1.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct DirectoryV1 {
    /// What the frame does, in order.
    pub entries: Vec<EntryV1>,
}

impl Kind for DirectoryV1 {
    const TYPE: u16 = 1;
    const VERSION: u16 = 1;
}

/// Bytes of the directory of a frame with `entry_count` entries: exact.
#[must_use]
pub const fn directory_size_for(entry_count: usize) -> usize {
    ENVELOPE_SIZE + entry_count * size_of::<ArchivedEntryV1>() + ROOT_SIZE
}

/// Appends the directory of `entries` to `out`.
pub fn encode_directory(entries: &[Entry], out: &mut Vec<u8>) {
    let start = out.len();
    encode_into(&DirectoryV1 { entries: entries.to_vec() }, out);
    assert_eq!(out.len() - start, directory_size_for(entries.len()), "the room that builders reserve");
}

/// The directory of a frame, validated and read in place.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    entries: &'a [ArchivedEntryV1],
}

impl<'a> Directory<'a> {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the frame does nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at `index`, counted from 0.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<Entry> {
        self.entries.get(index).map(Entry::from)
    }

    /// The entries, in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry> + use<'a> {
        self.entries.iter().map(Entry::from)
    }
}

/// Reads the directory of the frame that `frame` begins with.
///
/// `frame`: at least header and directory; `header`: decoded from it. On return the directory has its
/// checksum and is valid, and every payload it names lies inside the frame's payloads; the payloads
/// themselves were not looked at.
///
/// # Errors
/// [`FrameError::Corrupt`], [`FrameError::NewerVersion`] or [`FrameError::Directory`].
pub fn read_directory<'a>(frame: &'a [u8], header: &FrameHeader) -> Result<Directory<'a>, FrameError> {
    let directory = frame
        .get(FRAME_HEADER_SIZE..)
        .and_then(|rest| rest.get(..header.directory_size as usize))
        .ok_or(FrameError::Corrupt { what: "the directory is cut off" })?;
    if crc32fast::hash(directory) != header.directory_checksum {
        return Err(FrameError::Corrupt { what: "the directory does not have its checksum" });
    }
    let archived = view::<DirectoryV1>(directory)?;
    if archived.entries.len() != header.entry_count as usize {
        return Err(FrameError::Corrupt { what: "the directory has another number of entries" });
    }
    let directory = Directory { entries: archived.entries.as_slice() };
    for entry in directory.iter() {
        check_entry(&entry, header)?;
    }
    Ok(directory)
}

fn check_entry(entry: &Entry, header: &FrameHeader) -> Result<(), FrameError> {
    let corrupt = |what| Err(FrameError::Corrupt { what });
    if entry.length == 0 {
        if entry.checksum_kind != CHECKSUM_NONE || entry.position != 0 {
            return corrupt("an entry without payload names one");
        }
        return Ok(());
    }
    if !matches!(entry.checksum_kind, CHECKSUM_CRC32 | CHECKSUM_CRC32C) {
        return corrupt("a payload has no known checksum");
    }
    if u32::from(entry.checksum_from) > entry.length {
        return corrupt("a checksum begins behind its payload");
    }
    if !(entry.position as usize).is_multiple_of(PAYLOAD_ALIGN) {
        return corrupt("a payload is not aligned");
    }
    let end = entry.position.checked_add(entry.length);
    if entry.position < header.payload_start || end.is_none_or(|end| end > header.payload_end) {
        return corrupt("a payload lies outside the frame's payloads");
    }
    Ok(())
}
