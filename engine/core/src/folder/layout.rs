//! Where everything in a data folder lies.

use std::path::{Path, PathBuf};

use crate::model::ShardId;

/// Name of the file that a runtime locks to keep a data folder to one process. It may be there before the
/// manifest is.
pub const LOCK_NAME: &str = "LOCK";

/// What a file system's root holds by itself: a folder with it alone is empty.
pub(super) const LOST_AND_FOUND: &str = "lost+found";

/// The folder of one shard-log: `shard-000` and so on.
#[must_use]
pub fn shard_folder(folder: &Path, shard: ShardId) -> PathBuf {
    folder.join(format!("shard-{:03}", shard.0))
}
