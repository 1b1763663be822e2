//! Checkpoints: state as of one frame, so that a start need not read the log from its beginning.

mod keeper;
mod read;
mod room;
mod superblock;
mod write;

pub(super) use keeper::{CheckpointRequests, run_keeper};
pub(super) use read::read_checkpoint;
pub(super) use room::{CheckpointRoom, checkpoint_room, growth_of, growth_of_all, make_checkpoint_files};
pub(super) use superblock::{SUPERBLOCK_NAME, SuperblockFile};
pub(super) use write::{checkpoint_path, write_superblock};
