//! What is special about a seed: the log's options, what is done to it and how often, and what it stores. Much of
//! it is off altogether in some seeds, so that one thing does not hide behind another.

use std::time::Duration;

use thalweg_engine::log::{FlushMethod, LogOptions};

use crate::config::Chance;
use crate::prng::Prng;

/// How large payloads are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Payloads {
    /// Mostly small, some large.
    Mixed,
    /// Below 300 bytes.
    Small,
    /// From 500 bytes to 6,000: those of a few go into a frame, and many frames into a segment.
    Medium,
}

/// What is done, and how often: shares of the whole that they come to together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    pub(super) append: u64,
    pub(super) read: u64,
    pub(super) sleep: u64,
    pub(super) checkpoint: u64,
    pub(super) forged: u64,
    /// Everything is let go.
    pub(super) let_go: u64,
    pub(super) yields: u64,
    /// Of what is appended.
    pub(super) batches: u64,
    pub(super) outbox_batches: u64,
    pub(super) deltas: u64,
    pub(super) trims: u64,
    pub(super) payloads: Payloads,
    /// Most entries of one append.
    pub(super) together: u64,
    /// Fewer appends than these are not waited for.
    pub(super) waiting: u64,
    /// Partitions in use at once.
    pub(super) partitions: u64,
    /// Tasks that read beside the one that appends.
    pub(super) readers: u64,
    /// Whenever batches begin to be moved, everything is let go.
    pub(super) chase: bool,
}

impl Mix {
    /// Everything, in proportions that reach most paths.
    const USUAL: Self = Self {
        append: 78,
        read: 10,
        sleep: 2,
        checkpoint: 1,
        forged: 2,
        let_go: 0,
        yields: 7,
        batches: 12,
        outbox_batches: 3,
        deltas: 3,
        trims: 2,
        payloads: Payloads::Mixed,
        together: 4,
        waiting: 40,
        partitions: 6,
        readers: 0,
        chase: false,
    };

    fn of(prng: &mut Prng) -> Self {
        if prng.below(4) == 0 {
            return Self::USUAL;
        }
        let mut some = |usual: u64| if prng.below(4) == 0 { 0 } else { usual * [1, 1, 2, 5][prng.index(4)] };
        let usual = Self::USUAL;
        let (read, sleep, checkpoint) = (some(usual.read), some(usual.sleep), some(usual.checkpoint));
        let (forged, let_go, yields) = (some(usual.forged), some(1), some(usual.yields));
        let (outbox_batches, deltas) = (some(usual.outbox_batches), some(usual.deltas));
        let (trims, readers) = (some(usual.trims), some(2));
        Self {
            read,
            sleep,
            checkpoint,
            forged,
            let_go,
            yields,
            outbox_batches,
            deltas,
            trims,
            readers,
            chase: prng.below(4) == 0,
            payloads: [Payloads::Mixed, Payloads::Small, Payloads::Medium, Payloads::Medium][prng.index(4)],
            together: [1, 4, 12][prng.index(3)],
            waiting: [1, 5, 40][prng.index(3)],
            partitions: [1, 3, 6, 20][prng.index(4)],
            ..usual
        }
    }
}

/// What is special about a seed.
#[derive(Clone, Debug)]
pub(super) struct Character {
    pub(super) options: LogOptions,
    pub(super) mix: Mix,
    /// Segments that the disk has room for; `None` for as many as wanted.
    pub(super) segments_max: Option<u64>,
    /// Quarters of a segment that there are beside them.
    pub(super) more: u64,
    /// Bits are flipped between lives.
    pub(super) is_damaged: bool,
    /// How often there is no room where a segment is filled.
    pub(super) fill_no_space: Chance,
}

impl Character {
    pub(super) fn of(seed: u64) -> Self {
        let mut prng = Prng::new(seed).fork("log");
        let mix = Mix::of(&mut prng.fork("mix"));
        let segment_size = [64 << 10, 64 << 10, 128 << 10, 256 << 10][prng.index(4)];
        let frame_size_max = segment_size as usize / [2, 4][prng.index(2)];
        let options = LogOptions {
            segment_size,
            pool_target: prng.range(1..4) as usize,
            flush: if prng.coin() { FlushMethod::Flush } else { FlushMethod::WriteThrough },
            checkpoint_interval: [64 << 10, 300 << 10, 2 << 20, u64::MAX][prng.index(4)],
            cache_bytes: [0, 64 << 10, 1 << 20][prng.index(3)],
            frame_size_target: [4096, 16_384, frame_size_max][prng.index(3)],
            frame_size_max,
            writes_in_flight: prng.range(1..5) as usize,
            regroup_share: [1, 1, 25, 100][prng.index(4)],
            regroup_age: Duration::from_millis([0, 100, 1_000_000][prng.index(3)]),
            run_size_min: [1, 1, 8192, 65_536][prng.index(4)],
            read_ahead_bytes: [0, 128 << 10, 1 << 20][prng.index(3)],
            ..LogOptions::default()
        };
        let segments_max = (prng.below(3) == 0).then(|| prng.range(8..16));
        let is_damaged = prng.below(3) == 0;
        let fill_no_space = Chance(if prng.below(4) == 0 { prng.range(1..300_000) as u32 } else { 0 });
        let more = prng.below(4);
        let options = if mix.chase { slow_to_regroup(options) } else { options };
        // Much goes on meanwhile.
        let mix =
            if mix.chase { Mix { waiting: 40, together: 4, payloads: Payloads::Medium, ..mix } } else { mix };
        Self { options, mix, segments_max, more, is_damaged, fill_no_space }
    }

    /// Whether batches can be laid so that little of a segment is left over: what is let go then gives its room back.
    pub(super) fn is_packed(&self) -> bool {
        self.options.frame_size_target >= 16 << 10 && self.mix.payloads == Payloads::Medium
    }
}

/// Batches are moved as soon as they can be, and slowly, while segments are used again as fast as may be.
fn slow_to_regroup(options: LogOptions) -> LogOptions {
    LogOptions {
        segment_size: 64 << 10,
        checkpoint_interval: 64 << 10,
        frame_size_target: 4096,
        frame_size_max: 16 << 10,
        pool_target: 1,
        regroup_share: 1,
        regroup_age: Duration::ZERO,
        run_size_min: 65_536,
        ..options
    }
}
