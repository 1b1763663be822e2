//! Making a log.

use std::path::Path;
use std::rc::Rc;

use crate::io::{Buffer, DiskError, File, FileKind, OpenMode, Runtime};
use crate::limits::BLOCK_SIZE;
use crate::log::checkpoint::{SUPERBLOCK_NAME, make_checkpoint_files};
use crate::log::format::{FRAME_MAGIC, ReplayStart, Superblock};
use crate::log::segment::{make_segments, segment_path};
use crate::log::{LogOptions, OpenError};
use crate::model::{Generation, Incarnation, LogId, Position, SegmentId, Sequence};

/// Makes the files of a new log in `folder`, the superblock last: before it is durable there is no log, and a
/// crash leaves nothing that the next attempt does not overwrite.
pub(super) async fn create<R: Runtime>(
    runtime: &R,
    folder: &Path,
    file: &R::File,
    options: &LogOptions,
) -> Result<Superblock, DiskError> {
    let log = LogId(runtime.random());
    let (segment, generation) = (SegmentId(0), Generation::of(Incarnation(0), 0));
    make_checkpoint_files(runtime, folder, options.segment_size).await?;
    make_segments(runtime, folder, log, segment, generation, options).await?;
    let position = Position(BLOCK_SIZE as u32);
    let replay = ReplayStart { segment, generation, position, ..ReplayStart::default() };
    let owner = options.home.map(|home| home.owner);
    let segment_size = options.segment_size;
    let superblock = Superblock { log, counter: 1, segment_size, replay, owner, ..Superblock::default() };
    // Both blocks, so that nothing of an earlier attempt is left beside the new one.
    let mut blocks = runtime.allocate(2 * BLOCK_SIZE);
    superblock.encode(&mut blocks.bytes_mut()[superblock.position() as usize..]);
    file.write_at(Rc::new(blocks), 0).await?;
    file.flush().await?;
    runtime.sync_folder(folder).await?;
    Ok(superblock)
}

/// Refuses to make a log where there is one whose superblock is lost.
///
/// The superblock of a new log is durable before its first frame is written: where there is a frame there
/// was a superblock.
pub(in crate::log) async fn check_nothing_lost<R: Runtime>(
    runtime: &R,
    folder: &Path,
    segments: &[SegmentId],
) -> Result<(), OpenError> {
    for segment in segments {
        let path = segment_path(folder, *segment);
        let kind = FileKind::Log { write_through: false };
        let file = runtime.open(&path, kind, OpenMode::Existing).await?;
        let block = file.read_at(BLOCK_SIZE as u64, BLOCK_SIZE).await?;
        if block.bytes().starts_with(&FRAME_MAGIC) {
            return Err(OpenError::Damaged {
                file: folder.join(SUPERBLOCK_NAME),
                position: 0,
                sequence: Sequence(0),
                what: format!("neither block is whole, but segment {segment} holds frames"),
            });
        }
    }
    Ok(())
}
