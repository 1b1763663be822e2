//! The shards of one process, opened as the engine's own program opens them.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::time::Duration;

use thalweg_engine::folder::Folder;
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
    folder: RefCell<Option<Folder>>,
    opened: Cell<u16>,
}

impl ShardOpening {
    /// For one process of `shards` shards.
    #[must_use]
    pub fn new(shards: u16, options: ShardOptions) -> Self {
        Self { shards, options, folder: RefCell::default(), opened: Cell::new(0) }
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
            self.folder.replace(Some(folder.map_err(|error| error.to_string())?));
        }
        let mut folder = loop {
            if let Some(folder) = &*self.folder.borrow() {
                break folder.clone();
            }
            runtime.sleep(Duration::from_micros(100)).await;
        };
        let mut options = self.options.clone();
        options.log.home = Some(folder.home(id));
        let opened = Shard::open(runtime.clone(), id, self.shards, &folder.shard(id), options).await;
        let (shard, _) = opened.map_err(|error| format!("{error:?}"))?;
        self.opened.set(self.opened.get() + 1);
        if self.opened.get() == self.shards {
            folder.complete(runtime).await.map_err(|error| error.to_string())?;
            self.folder.replace(Some(folder.clone()));
        }
        // As with an engine, nobody uses a shard of a new folder before all of them are there and that is written down.
        while !self.folder.borrow().as_ref().is_some_and(|folder| folder.complete) {
            if runtime.is_halted() {
                return Err("another shard was not opened".to_owned());
            }
            runtime.sleep(Duration::from_micros(100)).await;
        }
        Ok(shard)
    }
}
