//! When a life ends: at which poll, disk operation, mark or time.

use std::time::Duration;

use crate::prng::Prng;
use crate::world::{Crash, StopAt};

/// Largest power of two of the counts at which a life is stopped.
const COUNT_BITS_MAX: u64 = 14;

/// Most occurrences of a mark that are waited for.
const MARKS_MAX: u64 = 6;

/// What the driver does to a process.
pub(super) struct Plan {
    prng: Prng,
    marks: &'static [&'static str],
}

impl Plan {
    pub(super) fn new(prng: Prng, marks: &'static [&'static str]) -> Self {
        Self { prng, marks }
    }

    /// Operations of the next life, out of those that remain.
    pub(super) fn operations(&mut self, remaining: u64) -> u64 {
        // A life that only recovers: what it answered, and nothing after it, is then put to the test.
        if self.prng.below(4) == 0 {
            return 0;
        }
        self.prng.range(1..remaining.max(1) + 1).max(remaining / 8)
    }

    /// Where the next life is stopped, if it comes that far.
    pub(super) fn stop(&mut self) -> StopAt {
        match self.prng.below(8) {
            0 => StopAt::Exit,
            1 | 2 => StopAt::Poll(self.count()),
            3 => StopAt::DiskIssue(self.count() / 4 + 1),
            4 => StopAt::DiskCompletion(self.count() / 4 + 1),
            5 => StopAt::Time(Duration::from_micros(self.count() * 20)),
            _ if self.marks.is_empty() => StopAt::Poll(self.count()),
            _ => {
                let event = self.marks[self.prng.index(self.marks.len())];
                let most = if self.prng.coin() { 1 } else { MARKS_MAX };
                StopAt::Mark { event, count: self.prng.range(1..most + 1) }
            }
        }
    }

    /// Whether a process that was stopped is left to go on, with one of its shards paused.
    pub(super) fn goes_on(&mut self) -> bool {
        self.prng.below(4) == 0
    }

    pub(super) fn pause(&mut self, shards: u16) -> (u16, Duration) {
        let shard = self.prng.below(u64::from(shards)) as u16;
        (shard, Duration::from_micros(self.prng.range(1..20_000)))
    }

    pub(super) fn crash(&mut self) -> Crash {
        if self.prng.coin() { Crash::Power } else { Crash::Process }
    }

    /// A process that ended by itself is followed by a power loss, or by nothing.
    pub(super) fn power_loss_after_exit(&mut self) -> bool {
        self.prng.coin()
    }

    /// Small counts are as likely as large ones.
    fn count(&mut self) -> u64 {
        let bits = self.prng.below(COUNT_BITS_MAX + 1);
        (1 << bits) + self.prng.below(1 << bits)
    }
}
