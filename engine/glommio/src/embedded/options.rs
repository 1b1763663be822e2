//! How a data folder is opened.

use std::time::Duration;

use thalweg_engine::limits::{OFFSETS_RETENTION_DEFAULT, PRODUCER_EXPIRY_DEFAULT};
use thalweg_engine::log::{FlushMethod, LogOptions};

use crate::RuntimeOptions;

/// How [`Engine::open`](super::Engine::open) opens a data folder.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Number of shard-logs of a new folder; an existing folder must have as many. Default (`None`): one per
    /// core for a new folder, whatever it has for an existing one.
    pub shards: Option<u16>,
    /// How writes are made durable. Default (`None`): what the device is fastest with, as measured when the
    /// folder was first opened on it.
    pub flush: Option<FlushMethod>,
    /// Settings of the logs; their flush method is replaced by the one above.
    pub log: LogOptions,
    /// How long committed offsets of a group without members are kept. Default: seven days.
    pub offsets_retention: Duration,
    /// How long a partition remembers a producer that appends nothing to it; zero: as long as there are not too many.
    /// Default: one day.
    pub producer_expiry: Duration,
    /// Settings of the executors.
    pub runtime: RuntimeOptions,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            shards: None,
            flush: None,
            log: LogOptions::default(),
            offsets_retention: OFFSETS_RETENTION_DEFAULT,
            producer_expiry: PRODUCER_EXPIRY_DEFAULT,
            runtime: RuntimeOptions::default(),
        }
    }
}
