//! What can be asked of a log.

use std::path::Path;

use super::segment::{check_segments, expected_in, in_order};
use super::survey::survey;
use super::walk::{Depth, walk};
use super::{FrameView, InspectError, LogCheck, LogView};
use crate::io::{FileKind, OpenMode, Runtime};
use crate::limits::FRAMES_LISTED_MAX;
use crate::log::LogHome;
use crate::log::index::{SegmentClass, SegmentState};
use crate::log::recover::SegmentReader;
use crate::log::segment::segment_path;
use crate::model::Sequence;

/// What the files of the log in `folder` say, which nobody may have open. As long as a start takes, and a read of
/// each segment's header and footer. `home`: whose log it should be, if that is known.
///
/// Damage that is met on the way is in [`LogView::findings`]; [`verify`] looks for all of it.
///
/// # Errors
/// [`InspectError`].
pub async fn inspect<R: Runtime>(
    runtime: &R,
    folder: &Path,
    home: Option<LogHome>,
) -> Result<LogView, InspectError> {
    survey(runtime, folder, home).await?.view(runtime).await
}

/// Reads all of the log in `folder`, which nobody may have open, and names each damage: in the superblock, the checkpoint
/// in force, the header, frames and footer of each segment in use. `home`: whose log it should be, if that is known. What
/// is in no use, is not looked at: free segments, and the checkpoint that is not in force.
///
/// The end of the log is judged as by a start: where nothing durable knows a frame that does not read, it is the torn tail.
/// Behind a damage in the frames that a start would read, nothing is looked for: it is lost.
///
/// # Errors
/// [`InspectError`].
pub async fn verify<R: Runtime>(
    runtime: &R,
    folder: &Path,
    home: Option<LogHome>,
) -> Result<LogCheck, InspectError> {
    let mut survey = survey(runtime, folder, home).await?;
    let checked = check_segments(runtime, &mut survey).await?;
    Ok(LogCheck { view: survey.view(runtime).await?, checked })
}

/// Frames of the log in `folder`, which nobody may have open: those kept, from the first that is at or behind `from`; at
/// most `frames_max`, and at most [`FRAMES_LISTED_MAX`]. Those whose header does not read are left out.
///
/// # Errors
/// [`InspectError`].
pub async fn list_frames<R: Runtime>(
    runtime: &R,
    folder: &Path,
    from: Sequence,
    frames_max: usize,
) -> Result<Vec<FrameView>, InspectError> {
    let survey = survey(runtime, folder, None).await?;
    let frames_max = frames_max.min(FRAMES_LISTED_MAX);
    let mut frames = Vec::new();
    let (Some(superblock), Some(index)) = (survey.superblock, &survey.index) else { return Ok(frames) };
    let is_asked = |state: &SegmentState| state.class == SegmentClass::Journal && state.last >= from;
    for (id, state) in in_order(index).into_iter().filter(|(_, state)| is_asked(state)) {
        if frames.len() >= frames_max {
            break;
        }
        let path = segment_path(&survey.folder, id);
        let kind = FileKind::Log { write_through: false };
        // One that is missing has no frames; that it is missing is for others to say.
        let Ok(file) = runtime.open(&path, kind, OpenMode::Existing).await else { continue };
        let size = superblock.newest.segment_size;
        let mut reader = SegmentReader::<R>::new(file, size);
        let expected = expected_in(superblock.newest.log, size, id, &state);
        let visit = |frame: FrameView| {
            if frame.sequence >= from {
                frames.push(frame);
            }
            frames.len() < frames_max
        };
        let walked = walk(runtime, &mut reader, expected, &state, None, Depth::Directories, visit).await;
        walked.map_err(|newer| newer.in_file(&path))?;
    }
    Ok(frames)
}
