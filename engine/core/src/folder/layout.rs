//! Where everything in a data folder lies.

use std::path::{Path, PathBuf};

use crate::model::ShardId;

/// The folder of one shard-log: `shard-000` and so on.
#[must_use]
pub fn shard_folder(folder: &Path, shard: ShardId) -> PathBuf {
    folder.join(format!("shard-{:03}", shard.0))
}
