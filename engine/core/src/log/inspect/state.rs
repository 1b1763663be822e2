//! The state that is built over a log.

use std::cell::RefCell;
use std::path::Path;

use super::InspectError;
use super::error::finding_of;
use super::superblock::read_superblock;
use super::{Finding, Findings, Loss};
use crate::io::Runtime;
use crate::log::StateMachine;
use crate::log::checkpoint::read_checkpoint;
use crate::log::recover::{Expected, replay, segments_in};

/// Builds `state` over the log in `folder`, which nobody may have open, as a start would: from the checkpoint in force and
/// the whole frames behind it. A log that was not made, or whose superblock does not read, leaves it as it is.
///
/// Returns what refused a slice or a checkpoint; `state` is in no order then.
///
/// # Errors
/// [`InspectError`].
pub(crate) async fn restore_state<R: Runtime>(
    runtime: &R,
    folder: &Path,
    state: &RefCell<impl StateMachine>,
) -> Result<Option<Finding>, InspectError> {
    let files = segments_in(runtime, folder).await?;
    let superblock = read_superblock(runtime, folder, &files, None, &mut Findings::default()).await?;
    let Some(superblock) = superblock.map(|superblock| superblock.newest) else { return Ok(None) };
    let mut index = match read_checkpoint(runtime, folder, &superblock, state).await {
        Ok(index) => index,
        Err(error) => return finding_of(error, Loss::Log).map(Some),
    };
    if !index.segments().contains_key(&superblock.replay.segment) {
        return Ok(None);
    }
    let expected = Expected::behind(&superblock);
    match replay(runtime, folder, expected, &mut index, state).await {
        Ok(_) => Ok(None),
        Err(error) => finding_of(error, Loss::Log).map(Some),
    }
}
