//! Whether a frame that cannot be read was acknowledged.

use std::path::Path;

use super::frame::{Expected, knows_durable};
use super::reader::SegmentReader;
use super::replay::Replayed;
use crate::io::{Buffer, DiskError, File, FileKind, OpenMode, Runtime};
use crate::limits::BLOCK_SIZE;
use crate::log::format::{FooterTrailer, FrameHeader, SegmentHeader, Superblock};
use crate::log::segment::segment_path;
use crate::model::{Position, SegmentId};

/// Looks for something durable that says that the frame which `replayed` ends before was durable: superblocks,
/// the segment's footer, a later frame in the segment or in one that could follow. Says what it found.
pub(in crate::log) async fn find_evidence<R: Runtime>(
    runtime: &R,
    folder: &Path,
    superblocks: &[Superblock],
    replayed: &Replayed<R>,
    others: &[SegmentId],
) -> Result<Option<String>, DiskError> {
    let expected = &replayed.expected;
    let lost = expected.at.sequence.next();
    if let Some(durable) = superblocks.iter().map(|superblock| superblock.durable_up_to).max()
        && durable >= lost
    {
        return Ok(Some(format!("the superblock knows frame {durable} durable")));
    }
    let size = expected.segment_size;
    let mut reader = SegmentReader::<R>::new(replayed.file.clone(), size);
    let mut position = expected.at.position.0 + BLOCK_SIZE as u32;
    while position < size {
        let block = reader.bytes(position, BLOCK_SIZE).await?;
        if let Some(durable) = knows_durable(block, expected, Position(position), lost) {
            return Ok(Some(format!("the frame at byte {position} knows frame {durable} durable")));
        }
        if let Ok(trailer) = FooterTrailer::decode(block, expected.log)
            && trailer.segment == expected.at.segment
            && trailer.generation == expected.at.generation
            && trailer.incarnation >= expected.incarnation
            && trailer.last >= lost
        {
            return Ok(Some(format!("the segment's footer knows frame {} durable", trailer.last)));
        }
        position += BLOCK_SIZE as u32;
    }
    for segment in others {
        if let Some(found) = in_other(runtime, folder, expected, *segment).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Looks in a segment that is not in use as far as the frames say that were read.
async fn in_other<R: Runtime>(
    runtime: &R,
    folder: &Path,
    expected: &Expected,
    segment: SegmentId,
) -> Result<Option<String>, DiskError> {
    let lost = expected.at.sequence.next();
    let path = segment_path(folder, segment);
    let file = runtime.open(&path, FileKind::Log { write_through: false }, OpenMode::Existing).await?;
    let block = file.read_at(0, BLOCK_SIZE).await?;
    let Ok(header) = SegmentHeader::decode(block.bytes(), expected.log) else { return Ok(None) };
    let mut there = *expected;
    there.at.segment = segment;
    there.at.generation = header.generation;
    let mut reader = SegmentReader::<R>::new(file, expected.segment_size);
    let mut position = Position(BLOCK_SIZE as u32);
    // From frame to frame: what follows a gap in a segment that nothing leads to is not looked for.
    while position.0 < expected.segment_size {
        let block = reader.bytes(position.0, BLOCK_SIZE).await?;
        let Ok(frame) = FrameHeader::decode(block, expected.log) else { break };
        if let Some(durable) = knows_durable(block, &there, position, lost) {
            let found =
                format!("a frame of segment {segment} at byte {position} knows frame {durable} durable");
            return Ok(Some(found));
        }
        if !frame.belongs_at(segment, header.generation, position) {
            break;
        }
        position = frame.end();
    }
    Ok(None)
}
