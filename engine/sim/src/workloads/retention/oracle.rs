//! When each record was appended, by the time that has really passed, and how far the log may believe a wall clock.

use std::time::Duration;

use thalweg_engine::limits::{CLOCK_BELIEF_DELAY, CLOCK_INTERVAL};

use crate::clock::WallRange;
use crate::runtime::SimRuntime;

/// What readings of two clocks, one after the other, may be apart.
const SLACK: Duration = Duration::from_secs(1);

/// Records go at most so much later than an eighth of their time after it: the clock is told once a second, and looked
/// at every two; disks are slow.
const LATE_MAX: Duration = Duration::from_secs(15);

/// One record, which is a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Not before this it was appended. World's time, as all here.
    pub(super) tried: Duration,
    /// By this it was, if it was answered.
    pub(super) answered: Option<Duration>,
}

/// The oracle.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) operations: u64,
    /// How long records are kept.
    pub(super) kept: Duration,
    pub(super) made: bool,
    /// When each process was started.
    pub(super) lives: Vec<Duration>,
    pub(super) records: Vec<Record>,
    /// Highest log start seen.
    pub(super) start: u64,
}

impl Oracle {
    /// Records that were answered, up to the last such.
    pub(super) fn acknowledged(&self) -> u64 {
        self.records.iter().rposition(|record| record.answered.is_some()).map_or(0, |last| last as u64 + 1)
    }

    /// The log start is `start` now: what lies before it was let go neither early, nor what lies behind it late.
    /// `opened`: when the log was.
    pub(super) fn started_at(&mut self, runtime: &SimRuntime, start: u64, opened: Duration) {
        let now = runtime.elapsed();
        assert!(start >= self.start, "the log start fell from {} to {start}", self.start);
        for (offset, record) in (self.start..start).zip(&self.records[self.start as usize..]) {
            let missing = self.kept.saturating_sub(now - record.tried);
            if missing == Duration::ZERO {
                continue;
            }
            let believed = self.believable(runtime, record.tried, now);
            assert!(
                missing <= believed,
                "record {offset} went {missing:?} early, and at most {believed:?} can be believed to have passed"
            );
            runtime.count("retention.believed");
        }
        self.start = start;
        let Some(first) = self.records.get(start as usize) else { return };
        if let Some(answered) = first.answered {
            let aged = now - answered.max(opened);
            let most = self.kept + self.kept / 8 + LATE_MAX;
            assert!(
                aged <= most,
                "record {start} of {} is still kept after {aged:?}: {first:?}, opened {opened:?}, now {now:?}",
                self.records.len()
            );
        }
        self.count_unmoved(runtime, first, now);
    }

    /// Counts that a wall clock had it that the first record's time has come, and was not heeded.
    fn count_unmoved(&self, runtime: &SimRuntime, first: &Record, now: Duration) {
        if now - first.tried >= self.kept {
            return;
        }
        let seen = runtime.wall_range(first.tried, now);
        if !is_at_least(&seen.said_ms, self.kept) {
            return;
        }
        runtime.count("retention.kept-over-step");
        if self.life_at(first.tried) < self.lives.len() - 1 {
            runtime.count("retention.kept-over-restart");
        }
    }

    /// The life that `at` falls into.
    fn life_at(&self, at: Duration) -> usize {
        self.lives.partition_point(|begun| *begun <= at).saturating_sub(1)
    }

    /// How much more than what has really passed between `from`, when something was appended, and `now` the log may
    /// believe to have passed.
    ///
    /// It believes what a start claims: in that start, if it goes on for the delay; and in the one behind it, if that is
    /// the delay later by the wall clock. What a start claims beyond the time that passed is how far the wall clock has
    /// got ahead since before it.
    fn believable(&self, runtime: &SimRuntime, from: Duration, now: Duration) -> Duration {
        let mut believable = Duration::ZERO;
        let first = self.life_at(from);
        for (life, begun) in self.lives.iter().enumerate().skip(first) {
            let end = self.lives.get(life + 1).copied().unwrap_or(now);
            if end - *begun + SLACK >= CLOCK_BELIEF_DELAY {
                believable += self.claimed(runtime, life, end);
            }
            let seen_from = from.saturating_sub(CLOCK_INTERVAL + SLACK);
            let seen = runtime.wall_range(seen_from, end);
            if life > first && is_at_least(&seen.said_ms, CLOCK_BELIEF_DELAY - SLACK) {
                believable += self.claimed(runtime, life - 1, *begun);
            }
        }
        if believable > Duration::ZERO { believable + SLACK } else { believable }
    }

    /// What a life that lasted until `end` can have claimed beyond the time that had passed.
    fn claimed(&self, runtime: &SimRuntime, life: usize, end: Duration) -> Duration {
        let begun = self.lives[life];
        let WallRange { ahead_ms: before, .. } = runtime.wall_range(Duration::ZERO, begun);
        let WallRange { ahead_ms: during, .. } = runtime.wall_range(begun, end);
        Duration::from_millis(u64::try_from(during.end() - before.start()).unwrap_or(0))
    }
}

/// Whether a wall clock went through so much time.
fn is_at_least(said_ms: &std::ops::RangeInclusive<i64>, time: Duration) -> bool {
    said_ms.end().abs_diff(*said_ms.start()) >= time.as_millis() as u64
}
