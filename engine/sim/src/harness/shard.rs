//! The shards of one process, opened as the engine's own program opens them.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use thalweg_engine::folder::{Folder, shard_folder};
use thalweg_engine::io::Runtime;
use thalweg_engine::model::ShardId;
use thalweg_engine::shard::{Shard, ShardOptions};

use super::workload::Life;
use crate::runtime::SimRuntime;

const FOLDER: &str = "/data/thalweg";

/// How the shards of one process open: shard 0 makes or opens the data folder, and the others wait for it.
pub struct ShardOpening {
    shards: u16,
    options: ShardOptions,
    folder_made: Cell<bool>,
}

impl ShardOpening {
    /// For one process of `shards` shards.
    #[must_use]
    pub fn new(shards: u16, options: ShardOptions) -> Self {
        Self { shards, options, folder_made: Cell::new(false) }
    }

    /// Opens the shard that `runtime` is of. `None` if a fault forbade it: the process has been halted then,
    /// and the other shards had time to notice.
    ///
    /// # Panics
    /// If it does not open in the last life, in which nothing fails.
    pub async fn open(&self, runtime: &SimRuntime, life: Life) -> Option<Shard<SimRuntime>> {
        match self.try_open(runtime).await {
            Ok(shard) => Some(shard),
            Err(error) => {
                assert!(!life.last, "nothing fails, and yet: {error}");
                runtime.halt(&error);
                // The others are told, for as long as this shard stays.
                runtime.sleep(Duration::from_secs(60)).await;
                None
            }
        }
    }

    async fn try_open(&self, runtime: &SimRuntime) -> Result<Shard<SimRuntime>, String> {
        let (path, id) = (Path::new(FOLDER), runtime.shard());
        if id == ShardId(0) {
            let folder = Folder::open_or_create(runtime, path, self.shards).await;
            folder.map_err(|error| error.to_string())?;
            self.folder_made.set(true);
        }
        while !self.folder_made.get() {
            runtime.sleep(Duration::from_micros(100)).await;
        }
        let options = self.options.clone();
        let opened = Shard::open(runtime.clone(), id, self.shards, &shard_folder(path, id), options).await;
        opened.map(|(shard, _)| shard).map_err(|error| format!("{error:?}"))
    }
}
