//! Why an engine could not be opened or used.

use std::io;
use std::path::PathBuf;

use thalweg_engine::folder::FolderError;
use thalweg_engine::model::ShardId;
use thalweg_engine::shard::OpenError;

use crate::{LockError, StartError};

/// The engine has ended. What was asked may have been done; what was acknowledged before is safe.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClosedError {
    /// It was closed or dropped, or its process is ending.
    #[error("the engine is closed")]
    Closed,
    /// A shard panicked, which closes the others as well: a fault of this program, or of a future that it was
    /// given to run. The folder can be opened again.
    #[error("the engine is closed: shard {shard} panicked: {message}")]
    Panicked {
        /// The first shard that did.
        shard: ShardId,
        /// What the panic said.
        message: String,
    },
}

/// Why a data folder was not opened. What was refused was not changed, except that the folder may have been
/// made; of several shards, those that were sound may have been opened and closed again.
#[derive(Debug, thiserror::Error)]
pub enum OpenEngineError {
    /// Another process has it open.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The machine lacks something that the executors need.
    #[error(transparent)]
    Machine(#[from] StartError),
    /// The folder could not be made or read.
    #[error("the data folder {path:?} could not be made or read")]
    Io {
        /// The folder.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The folder is not a data folder of this program, or the disk refused.
    #[error("the data folder was not opened")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: FolderError,
    },
    /// A shard could not be opened: damage, a newer version, another number of shards.
    #[error("shard {shard} of {path:?} was not opened")]
    Shard {
        /// The folder.
        path: PathBuf,
        /// Which shard.
        shard: ShardId,
        /// The cause.
        source: OpenError,
    },
    /// A shard panicked while it was opened: a fault of this program.
    #[error(transparent)]
    Panicked(ClosedError),
}
