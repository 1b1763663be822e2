//! Footers: the index of an ended segment, at its end.

use std::rc::Rc;

use thalweg_archive::{Validated, encode};

use super::Segment;
use super::rebuild::rebuild_footer;
use crate::io::{Buffer, DiskError, File, Runtime};
use crate::limits::BLOCK_SIZE;
use crate::log::ReadError;
use crate::log::format::{FooterTrailer, FooterV1};
use crate::log::index::SegmentState;
use crate::log::shared::Shared;
use crate::model::{Generation, LogId, Position, SegmentId, Sequence};

/// Writes the footers that are due: those of segments that have ended and hold something live.
pub(in crate::log) async fn write_footers<R: Runtime>(shared: &Rc<Shared<R>>) {
    while !shared.is_closed()
        && let Some(segment) = next_without_footer(shared)
    {
        // Held, so that the file is not used again meanwhile.
        let held = shared.segments.borrow().get(&segment).map(Rc::clone).expect("an ended segment is in use");
        let file = match held.file(shared).await {
            Ok(file) => file,
            Err(ReadError::Damaged { .. }) => {
                // Only those who read it are concerned. What is not the segment is not written to.
                shared.runtime.mark("footer-left-out");
                if let Some(state) = shared.index.borrow_mut().segment_mut(segment) {
                    state.damaged = true;
                }
                continue;
            }
            // It is opened again when the keeper is woken next.
            Err(_) => return,
        };
        let rows = shared.index.borrow().footer_rows(segment);
        let Some(frames) = frames_of(shared, segment) else { continue };
        if let Err(error) = write_footer(shared, &held, &file, &encode(&FooterV1 { rows }), frames).await {
            shared.fail(&format!("the footer of segment {segment} could not be written: {error}"));
            return;
        }
        shared.runtime.mark("footer-written");
        shared.index.borrow_mut().footer_durable(segment);
        shared.regrouper.give();
    }
}

fn next_without_footer<R: Runtime>(shared: &Shared<R>) -> Option<SegmentId> {
    let index = shared.index.borrow();
    let due = |state: &SegmentState| state.sealed && !state.footer && !state.damaged && state.live > 0;
    index.segments().iter().find(|(_, state)| due(state)).map(|(segment, _)| *segment)
}

/// The frames of a segment: the first, the last, and where they end.
pub(in crate::log) type Frames = (Sequence, Sequence, Position);

/// The frames of `segment`, if it is still in use.
pub(super) fn frames_of<R: Runtime>(shared: &Shared<R>, segment: SegmentId) -> Option<Frames> {
    let index = shared.index.borrow();
    index.segments().get(&segment).map(|state| (state.first, state.last, state.end))
}

/// Writes `archive` and its trailer to the end of `segment`, whose file the caller holds, and flushes the file.
pub(in crate::log) async fn write_footer<R: Runtime>(
    shared: &Shared<R>,
    segment: &Segment<R>,
    file: &R::File,
    archive: &[u8],
    (first, last, frames_end): Frames,
) -> Result<(), DiskError> {
    let blocks = archive.len().next_multiple_of(BLOCK_SIZE);
    let start = shared.segment_size as usize - BLOCK_SIZE - blocks;
    assert!(start >= frames_end.0 as usize, "room for the footer is always kept");
    let mut buffer = shared.runtime.allocate(blocks + BLOCK_SIZE);
    buffer.bytes_mut()[..archive.len()].copy_from_slice(archive);
    let trailer = FooterTrailer {
        log: shared.log,
        segment: segment.id,
        generation: segment.generation,
        incarnation: shared.incarnation,
        first,
        last,
        frames_end,
        archive_position: Position(start as u32),
        archive_size: archive.len() as u32,
        archive_checksum: crc32fast::hash(archive),
    };
    trailer.encode(&mut buffer.bytes_mut()[blocks..]);
    file.write_at(Rc::new(buffer), start as u64).await?;
    file.flush().await
}

/// The footer of `segment`: read, or, if it is damaged, built again from the segment's frames.
pub(in crate::log) async fn load_footer<R: Runtime>(
    shared: &Shared<R>,
    segment: &Segment<R>,
) -> Result<Validated<FooterV1>, ReadError> {
    let damaged = match read_footer(shared, segment).await {
        Err(damaged @ ReadError::Damaged { .. }) => damaged,
        other => return other,
    };
    rebuild_footer(shared, segment).await?.ok_or(damaged)
}

/// Reads the footer of `segment`.
async fn read_footer<R: Runtime>(
    shared: &Shared<R>,
    segment: &Segment<R>,
) -> Result<Validated<FooterV1>, ReadError> {
    let file = segment.file(shared).await?;
    let life = (segment.id, segment.generation);
    let (_, footer) = read_footer_of::<R>(&file, shared.log, life, shared.segment_size).await?;
    shared.runtime.mark("footer-read");
    Ok(footer)
}

/// Reads the footer of one life of a segment of `size` bytes from its file.
pub(in crate::log) async fn read_footer_of<R: Runtime>(
    file: &R::File,
    log: LogId,
    (id, generation): (SegmentId, Generation),
    size: u32,
) -> Result<(FooterTrailer, Validated<FooterV1>), ReadError> {
    let disk = |source| ReadError::Disk { source };
    let damaged =
        |position: u32, what| ReadError::Damaged { segment: id, position: Position(position), what };
    let last = size - BLOCK_SIZE as u32;
    let block = file.read_at(u64::from(last), BLOCK_SIZE).await.map_err(disk)?;
    let trailer = FooterTrailer::decode(block.bytes(), log)
        .map_err(|_| damaged(last, "the footer's trailer does not read"))?;
    if trailer.segment != id || trailer.generation != generation {
        return Err(damaged(last, "the footer is that of another life of the file"));
    }
    let (start, size) = (trailer.archive_position.0, trailer.archive_size as usize);
    if !(start as usize).is_multiple_of(BLOCK_SIZE) || start as usize + size > last as usize {
        return Err(damaged(last, "the footer lies outside of the segment"));
    }
    let blocks = size.next_multiple_of(BLOCK_SIZE);
    let buffer = file.read_at(u64::from(start), blocks).await.map_err(disk)?;
    let archive = buffer.bytes().get(..size).ok_or(damaged(start, "the footer is cut off"))?;
    if crc32fast::hash(archive) != trailer.archive_checksum {
        return Err(damaged(start, "the footer does not have its checksum"));
    }
    let footer = Validated::read(archive.to_vec());
    Ok((trailer, footer.map_err(|_| damaged(start, "the footer does not read"))?))
}
