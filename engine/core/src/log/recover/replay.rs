//! Reading the frames behind the checkpoint.

use std::cell::RefCell;
use std::path::Path;

use super::frame::{Expected, Refusal, check_body, check_header};
use super::reader::SegmentReader;
use crate::io::{Buffer, DiskError, File, FileKind, Runtime, open_existing};
use crate::limits::BLOCK_SIZE;
use crate::log::checkpoint::growth_of_all;
use crate::log::format::{Entry, FrameError, FrameHeader, SegmentHeader};
use crate::log::index::Index;
use crate::log::segment::segment_path;
use crate::log::write::goes_on_behind;
use crate::log::{CommittedFrame, OpenError, StateMachine};
use crate::model::{Incarnation, Sequence};

/// How far the frames of a log reach.
pub(in crate::log) struct Replayed<R: Runtime> {
    /// What the next frame would have to be.
    pub(in crate::log) expected: Expected,
    /// Why there is none.
    pub(in crate::log) refusal: Refusal,
    /// The segment in which they end.
    pub(in crate::log) file: R::File,
    pub(in crate::log) frames: u64,
    pub(in crate::log) bytes: u64,
    /// What their entries add to a checkpoint at most. Bytes.
    pub(in crate::log) growth: u64,
    /// Highest incarnation found.
    pub(in crate::log) incarnation: Incarnation,
}

/// Reads frames from `expected` on, gives them to index and state, and stops at the first that is not whole
/// or does not follow.
///
/// Each segment is flushed before it is read: what was written and never flushed must not be acknowledged, by
/// whatever answer, as long as a loss of power could take it.
pub(in crate::log) async fn replay<R: Runtime>(
    runtime: &R,
    folder: &Path,
    mut expected: Expected,
    index: &mut Index,
    state: &RefCell<impl StateMachine>,
) -> Result<Replayed<R>, OpenError> {
    let mut entries = Vec::new();
    let (mut frames, mut bytes, mut growth) = (0, 0, 0);
    loop {
        let file = open_segment(runtime, folder, &expected).await?;
        let mut reader = SegmentReader::<R>::new(file.clone(), expected.segment_size);
        let refusal = loop {
            let header = match next_frame(&mut reader, &expected, &mut entries).await? {
                Ok(header) => header,
                Err(refusal) => break Some(refusal),
            };
            let bytes_of_frame = reader.bytes(header.position.0, header.length as usize).await?;
            let frame = CommittedFrame::new(&header, &entries, bytes_of_frame, true);
            state.borrow().check(&frame).map_err(|source| OpenError::Restore {
                file: segment_path(folder, header.segment),
                position: u64::from(header.position.0),
                source,
            })?;
            let applied = index.apply(&header, &entries, bytes_of_frame);
            state.borrow_mut().apply(&frame);
            frames += 1;
            bytes += u64::from(header.length);
            growth += growth_of_all(&entries);
            expected.at = goes_on_behind(&header, &applied);
            expected.incarnation = header.incarnation;
            if applied.rolled.is_some() {
                break None;
            }
        };
        if let Some(refusal) = refusal {
            let incarnation = expected.incarnation;
            return Ok(Replayed { expected, refusal, file, frames, bytes, growth, incarnation });
        }
    }
}

async fn next_frame<R: Runtime>(
    reader: &mut SegmentReader<R>,
    expected: &Expected,
    entries: &mut Vec<Entry>,
) -> Result<Result<FrameHeader, Refusal>, DiskError> {
    let position = expected.at.position.0;
    let header = match check_header(reader.bytes(position, BLOCK_SIZE).await?, expected) {
        Ok(header) => header,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let bytes = reader.bytes(position, header.length as usize).await?;
    Ok(check_body(bytes, &header, entries).map(|()| header))
}

/// Opens and flushes the segment that the next frame is in, and checks that it is the one meant.
async fn open_segment<R: Runtime>(
    runtime: &R,
    folder: &Path,
    expected: &Expected,
) -> Result<R::File, OpenError> {
    let at = &expected.at;
    let path = segment_path(folder, at.segment);
    // The header was durable before the log went on here, so whatever is wrong with it is damage.
    let damaged =
        |what: String| OpenError::Damaged { file: path.clone(), position: 0, sequence: Sequence(0), what };
    let kind = FileKind::Log { write_through: false };
    let Some(file) = open_existing(runtime, &path, kind).await? else {
        return Err(damaged("a segment in use is missing".to_owned()));
    };
    file.flush().await?;
    let block = file.read_at(0, BLOCK_SIZE).await?;
    match SegmentHeader::decode(block.bytes(), expected.log) {
        Ok(header) if header.segment == at.segment && header.generation == at.generation => Ok(file),
        Ok(_) => Err(damaged("it is not the segment in which the log goes on".to_owned())),
        Err(FrameError::NewerVersion { found, known }) => {
            Err(OpenError::NewerVersion { file: path.clone(), found, known })
        }
        Err(error) => Err(damaged(format!("the header of a segment in use does not read: {error}"))),
    }
}
