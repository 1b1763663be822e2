//! The log against the simulator: nothing acknowledged is lost, nothing unacknowledged is half there.

mod ahead;
mod compaction;
mod format;
mod inspect;
mod pool;
mod regroup;
mod seeds;
mod segments;
mod space;
mod state;
mod superblock;
