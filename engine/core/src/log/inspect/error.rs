//! Why a log could not be looked at.

use std::path::PathBuf;

use crate::io::DiskError;
use crate::log::OpenError;
use crate::log::checkpoint::SUPERBLOCK_NAME;

use super::{Finding, Loss};

/// Why a log could not be looked at. Damage is no such reason: it is a [`Finding`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InspectError {
    /// The log was written by a newer version of the program.
    #[error("{file:?} was written by a newer version: format {found}; this program reads up to {known}")]
    NewerVersion {
        /// File.
        file: PathBuf,
        /// Version found.
        found: u16,
        /// Newest version known.
        known: u16,
    },
    /// The disk refused.
    #[error("the log could not be read")]
    Disk {
        /// What the disk answered.
        #[from]
        source: DiskError,
    },
}

/// What refuses a start: as a finding that costs `loss` if it is damage.
pub(super) fn finding_of(error: OpenError, loss: Loss) -> Result<Finding, InspectError> {
    match error {
        OpenError::Damaged { file, position, what, .. } => Ok(Finding { file, position, what, loss }),
        OpenError::Restore { file, position, source } => {
            Ok(Finding { file, position, what: format!("it does not restore: {source}"), loss })
        }
        OpenError::Lost { folder } => {
            let (file, what) = (folder.join(SUPERBLOCK_NAME), "a log that was made is missing".to_owned());
            Ok(Finding { file, position: 0, what, loss })
        }
        OpenError::Foreign { file, found, expected } => {
            let what = format!(
                "this is the log of shard {} of data folder {:016x}, not of shard {} of {:016x}",
                found.shard, found.folder.0, expected.shard, expected.folder.0
            );
            Ok(Finding { file, position: 0, what, loss })
        }
        OpenError::NewerVersion { file, found, known } => {
            Err(InspectError::NewerVersion { file, found, known })
        }
        OpenError::Disk { source } => Err(InspectError::Disk { source }),
        OpenError::Options { what } => unreachable!("a look at a log has no options: {what}"),
    }
}
