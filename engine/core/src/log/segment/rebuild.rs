//! Building a damaged footer again.

use thalweg_archive::{Validated, encode};

use super::Segment;
use super::footer::{frames_of, write_footer};
use crate::io::{DiskError, Runtime};
use crate::limits::BLOCK_SIZE;
use crate::log::ReadError;
use crate::log::format::{Directory, EntryKind, FRAME_HEADER_SIZE, FooterV1, FrameHeader, read_directory};
use crate::log::index::{Row, SegmentState, stream_of};
use crate::log::recover::SegmentReader;
use crate::log::shared::Shared;
use crate::model::{PartitionId, Position, StreamId};

/// The footer of an ended segment from its frames; `None` if these are not whole either.
///
/// It is written to the disk again too. If that fails, the footer there is as damaged as before.
pub(super) async fn rebuild_footer<R: Runtime>(
    shared: &Shared<R>,
    segment: &Segment<R>,
) -> Result<Option<Validated<FooterV1>>, ReadError> {
    let disk = |source| ReadError::Disk { source };
    let Some(state) = shared.index.borrow().segments().get(&segment.id).cloned() else { return Ok(None) };
    let file = segment.file(shared).await?;
    let mut reader = SegmentReader::<R>::new(file.clone(), shared.segment_size);
    let Some(mut rows) = read_rows(shared, &mut reader, segment, &state).await.map_err(disk)? else {
        return Ok(None);
    };
    {
        let index = shared.index.borrow();
        rows.retain(|row| index.keeps(segment.id, row));
    }
    rows.sort_by_key(|row| (stream_of(row), row.base));
    let archive = encode(&FooterV1 { rows });
    if let Some(frames) = frames_of(shared, segment.id) {
        let _ = write_footer(shared, segment, &file, &archive, frames).await;
    }
    shared.runtime.mark("footer-rebuilt");
    Ok(Some(Validated::read(archive).expect("what was just encoded reads")))
}

/// Adds the rows of the batches of the frame at `position`, whose entries `directory` holds.
pub(in crate::log) fn add_rows(position: Position, directory: &Directory<'_>, rows: &mut Vec<Row>) {
    for entry in directory.iter() {
        if stream_of(&entry).is_some() {
            rows.push(Row { position: position.0 + entry.position, ..entry });
        }
    }
    // What was there before a deletion is not of the stream that may have come after it.
    for entry in directory.iter().filter(|entry| entry.known_kind() == Some(EntryKind::PartitionDeleted)) {
        let deleted = StreamId::partition(PartitionId(entry.subject));
        rows.retain(|row| stream_of(row) != Some(deleted));
    }
}

/// The rows of all batches in a segment, in the order of its frames; `None` if a frame's header or directory is
/// not what it was. Payloads are left to those who read them.
async fn read_rows<R: Runtime>(
    shared: &Shared<R>,
    reader: &mut SegmentReader<R>,
    segment: &Segment<R>,
    state: &SegmentState,
) -> Result<Option<Vec<Row>>, DiskError> {
    let mut rows = Vec::new();
    let (mut position, mut next) = (Position(BLOCK_SIZE as u32), state.first);
    let mut previous_checksum = None;
    while position < state.end {
        let block = reader.bytes(position.0, BLOCK_SIZE).await?;
        let Ok(header) = FrameHeader::decode(block, shared.log) else { return Ok(None) };
        let follows = header.belongs_at(segment.id, segment.generation, position)
            && header.sequence == next
            && previous_checksum.is_none_or(|previous| header.previous_checksum == previous);
        if !follows {
            return Ok(None);
        }
        let size = FRAME_HEADER_SIZE + header.directory_size as usize;
        let bytes = reader.bytes(position.0, size.next_multiple_of(BLOCK_SIZE)).await?;
        let Ok(directory) = read_directory(bytes, &header) else { return Ok(None) };
        add_rows(position, &directory, &mut rows);
        (position, next, previous_checksum) = (header.end(), next.next(), Some(header.checksum));
    }
    Ok((position == state.end && next == state.last.next()).then_some(rows))
}
