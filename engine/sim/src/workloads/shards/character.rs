//! What is special about a seed: the shards' options, and what is done beside loaders, tasks and readers. Each of
//! it is off in some seeds, so that one thing does not hide behind another.

use std::time::Duration;

use thalweg_engine::limits::MESH_CREDITS_DATA;
use thalweg_engine::log::{FlushMethod, LogOptions};
use thalweg_engine::shard::ShardOptions;

use crate::prng::Prng;

/// What is special about a seed.
#[derive(Clone, Debug)]
pub(super) struct Character {
    pub(super) shards: u16,
    pub(super) sources: usize,
    pub(super) sinks: usize,
    pub(super) options: ShardOptions,
    /// Bytes that the topic with a limit keeps; 0: there is no such topic.
    pub(super) kept: u64,
    /// How long the compacted topic keeps tombstones. Milliseconds.
    pub(super) delay_ms: u64,
    pub(super) mix: Mix,
}

/// What is done, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    /// Topics come and go.
    pub(super) churn: bool,
    /// Loaders send batches again.
    pub(super) repeat: bool,
    /// Batches that a loader sends at once now and then.
    pub(super) burst: u64,
    /// Tasks trim their source, and readers their sinks.
    pub(super) trim: bool,
    /// Tasks make checkpoints, beside those that the log makes.
    pub(super) checkpoint: bool,
    /// Longest time until the next time that decisions which are not committed are thrown away. Microseconds; 0: never.
    pub(super) forget_us: u64,
    /// Longest padding of a record, and of one in eight.
    pub(super) padding: (u64, u64),
}

impl Mix {
    fn of(prng: &mut Prng) -> Self {
        let mut is_on = || prng.below(4) > 0;
        let (churn, repeat, trim, checkpoint) = (is_on(), is_on(), is_on(), is_on());
        Self {
            churn,
            repeat,
            burst: [0, 60, 60, 4 * MESH_CREDITS_DATA as u64][prng.index(4)],
            trim,
            checkpoint,
            forget_us: [0, 100, 3_000, 100_000][prng.index(4)],
            padding: [(60, 1_500), (1, 1), (600, 600)][prng.index(3)],
        }
    }
}

impl Character {
    pub(super) fn of(prng: &mut Prng) -> Self {
        let shards = 1 + prng.index(3) as u16;
        let (sources, sinks) = (1 + prng.index(3), 1 + prng.index(4));
        let segment_size = [256 << 10, 256 << 10, 512 << 10][prng.index(3)];
        let log = LogOptions {
            segment_size,
            pool_target: 1 + prng.index(3),
            flush: if prng.coin() { FlushMethod::Flush } else { FlushMethod::WriteThrough },
            checkpoint_interval: [64 << 10, 256 << 10, 1 << 20][prng.index(3)],
            cache_bytes: [0, 64 << 10, 1 << 20][prng.index(3)],
            frame_size_target: [4 << 10, 16 << 10, 32 << 10][prng.index(3)],
            frame_size_max: [32 << 10, 64 << 10, 128 << 10][prng.index(3)],
            writes_in_flight: 1 + prng.index(6),
            regroup_share: [1, 25, 100][prng.index(3)],
            regroup_age: Duration::from_millis([0, 100, 600_000][prng.index(3)]),
            run_size_min: [1, 8192, 65_536][prng.index(3)],
            read_ahead_bytes: [0, 128 << 10, 1 << 20][prng.index(3)],
            ..LogOptions::default()
        };
        let options = ShardOptions {
            log,
            // What goes by these would go by a wall clock that is moved between two lives; other tests have them.
            offsets_retention: Duration::MAX,
            producer_expiry: Duration::ZERO,
            compaction_interval: Duration::from_millis([1, 10, 50][prng.index(3)]),
            compaction_memory: [2_000, 20_000, 1 << 20][prng.index(3)],
            ..ShardOptions::default()
        };
        let kept = [0, 1, 10_000, 200_000][prng.index(4)];
        let delay_ms = [0, 20, 3_600_000][prng.index(3)];
        let mix = Mix::of(&mut prng.fork("mix"));
        Self { shards, sources, sinks, options, kept, delay_ms, mix }
    }
}
