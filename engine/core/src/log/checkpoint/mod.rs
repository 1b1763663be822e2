//! Checkpoints: state as of one frame, so that a start need not read the log from its beginning.

mod keeper;
mod read;
mod superblock;
mod write;

pub(super) use keeper::{CheckpointRequests, run_keeper};
pub(super) use read::read_checkpoint;
pub(super) use superblock::{SUPERBLOCK_NAME, SuperblockFile};
pub(super) use write::{checkpoint_path, write_superblock};
