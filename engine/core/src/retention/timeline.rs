//! When the records of one partition were appended, and how large they are, in a bounded number of steps.

use std::collections::VecDeque;

use crate::catalog::Retention;
use crate::limits::TIMELINE_MARKS_MAX;
use crate::model::Offset;

/// The end of a batch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mark {
    /// Offset behind its last record.
    pub(crate) end: Offset,
    /// Bytes of all batches of the partition up to it.
    pub(crate) bytes: u64,
    /// By then it was appended, by the log's clock. Milliseconds.
    pub(crate) appended: u64,
}

/// Ends of batches of a partition, from its log start to its last batch, which is always among them.
///
/// All batches' ends while they are few; then ends at about the same distance, in bytes or time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Timeline {
    /// Where the first batch kept begins.
    pub(crate) begin: Mark,
    pub(crate) marks: VecDeque<Mark>,
}

impl Timeline {
    /// Adds a batch of `size` bytes.
    pub(crate) fn push(&mut self, end: Offset, size: u64, appended: u64) {
        let last = self.marks.back().copied().unwrap_or(self.begin);
        let mark = Mark { end, bytes: last.bytes + size, appended: last.appended.max(appended) };
        if self.marks.is_empty() {
            // What was before is no part of what is kept.
            self.begin.appended = mark.appended;
        } else if !self.is_full_with(mark) {
            self.marks.pop_back();
        }
        self.marks.push_back(mark);
        if self.marks.len() > TIMELINE_MARKS_MAX {
            self.thin_out();
        }
    }

    fn len(&self) -> usize {
        self.marks.len()
    }

    /// The mark before the one at `index`.
    fn before(&self, index: usize) -> Mark {
        index.checked_sub(1).map_or(self.begin, |before| self.marks[before])
    }

    /// How much of the whole lies between two marks: the larger of the parts in bytes and in time.
    fn part(&self, from: Mark, to: Mark) -> u64 {
        const WHOLE: u128 = 1 << 20;
        let last = self.before(self.len());
        let of = |part: u64, whole: u64| (u128::from(part) * WHOLE / u128::from(whole.max(1))) as u64;
        let bytes = of(to.bytes - from.bytes, last.bytes - self.begin.bytes);
        bytes.max(of(to.appended - from.appended, last.appended - self.begin.appended))
    }

    /// Whether the last mark would stand for too much if it were moved to `mark`: of what lies before a long time without
    /// batches nothing waits for what comes behind.
    fn is_full_with(&self, mark: Mark) -> bool {
        self.part(self.before(self.len() - 1), mark) >= (1 << 20) / TIMELINE_MARKS_MAX as u64
    }

    /// Forgets the mark that is missed least.
    fn thin_out(&mut self) {
        let gap = |index: &usize| self.part(self.before(*index), self.marks[*index + 1]);
        if let Some(index) = (0..self.len() - 1).min_by_key(gap) {
            self.marks.remove(index);
        }
    }

    /// Lets go of the marks up to `start`.
    pub(crate) fn start_raised(&mut self, start: Offset) {
        while let Some(first) = self.marks.front().filter(|mark| mark.end <= start) {
            self.begin = *first;
            self.marks.pop_front();
        }
    }

    /// Of the batches from `base` up to `end`, `bytes` bytes went.
    pub(crate) fn compacted(&mut self, base: Offset, end: Offset, bytes: u64) {
        debug_assert!(base < end);
        let before = self.marks.iter().take_while(|mark| mark.end <= base).last();
        let before = before.unwrap_or(&self.begin).bytes;
        // Of a mark inside it is not known how many of them lay before: the marks stay in order.
        for mark in self.marks.iter_mut().filter(|mark| mark.end > base) {
            mark.bytes -= bytes.min(mark.bytes - before);
        }
    }

    /// Bytes behind the last mark that was let go: those kept, at least.
    pub(crate) fn bytes(&self) -> u64 {
        self.before(self.len()).bytes - self.begin.bytes
    }

    /// The log start that `retention` allows at `now`, by the log's clock; `None` if that is the one there is.
    pub(crate) fn start_by(&self, retention: &Retention, now: u64) -> Option<Offset> {
        let total = self.before(self.len()).bytes;
        let lets_go = |mark: &&Mark| {
            let old = retention.ms.is_some_and(|ms| mark.appended.saturating_add(ms) <= now);
            old || retention.bytes.is_some_and(|bytes| total - mark.bytes >= bytes)
        };
        self.marks.iter().take_while(lets_go).last().map(|mark| mark.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches as they are, beside the timeline.
    #[derive(Default)]
    struct All {
        timeline: Timeline,
        batches: Vec<Mark>,
        start: Offset,
    }

    impl All {
        fn push(&mut self, size: u64, appended: u64) {
            let last = self.batches.last().copied().unwrap_or_default();
            let mark = Mark { end: Offset(last.end.0 + 3), bytes: last.bytes + size, appended };
            self.batches.push(mark);
            self.timeline.push(mark.end, size, appended);
            assert!(self.timeline.marks.len() <= TIMELINE_MARKS_MAX);
        }

        /// The highest start that would not break the rule.
        fn exact(&self, retention: &Retention, now: u64) -> Offset {
            let total = self.batches.last().unwrap().bytes;
            let goes = |mark: &Mark| {
                retention.ms.is_some_and(|ms| mark.appended + ms <= now)
                    || retention.bytes.is_some_and(|bytes| total - mark.bytes >= bytes)
            };
            let going = self.batches.partition_point(goes);
            going.checked_sub(1).map_or(Offset(0), |last| self.batches[last].end)
        }

        fn retain(&mut self, retention: &Retention, now: u64) {
            let exact = self.exact(retention, now);
            if let Some(start) = self.timeline.start_by(retention, now) {
                assert!(start <= exact, "{start} lies behind {exact}");
                assert!(start > self.start, "a start that is news");
                self.start = start;
                self.timeline.start_raised(start);
            }
        }
    }

    fn both(ms: u64, bytes: u64) -> Retention {
        Retention { ms: Some(ms), bytes: Some(bytes) }
    }

    #[test]
    fn a_few_batches_are_let_go_one_by_one() {
        let mut all = All::default();
        for batch in 0..TIMELINE_MARKS_MAX as u64 {
            all.push(100, 1000 * batch);
        }
        for now in 0..40_000 {
            let retention = Retention { ms: Some(5000), bytes: None };
            let exact = all.exact(&retention, now);
            all.retain(&retention, now);
            assert_eq!(all.start, exact, "at {now}");
        }
        assert_eq!(all.timeline.start_by(&both(0, 0), u64::MAX), None, "nothing is left");
    }

    #[test]
    fn nothing_is_let_go_too_early_and_little_too_late() {
        let retention = both(1_000_000, 5_000_000);
        let mut numbers = 7u64;
        let mut random = |below: u64| {
            numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (numbers >> 33) % below
        };
        for shape in 0..4 {
            let (mut all, mut now) = (All::default(), 50);
            for batch in 0..30_000u64 {
                // Even, in bursts, slow, with large batches.
                now += match shape {
                    0 => 100,
                    1 => u64::from(batch.is_multiple_of(500)) * 90_000,
                    2 => 2000,
                    _ => random(150),
                };
                let size = if shape == 3 && random(50) == 0 { 90_000 } else { 1 + random(400) };
                all.push(size, now);
                all.retain(&retention, now);
                let exact = all.exact(&retention, now).max(all.start);
                let kept = |start: Offset| all.batches[(start.0 / 3) as usize - usize::from(start.0 > 0)];
                let (late, should) = (kept(all.start), kept(exact));
                assert!(
                    should.bytes - late.bytes <= 5_000_000 / 8 + 90_000,
                    "{shape} {batch}: {late:?} {should:?}"
                );
                let time = should.appended.saturating_sub(late.appended);
                assert!(time <= 1_000_000 / 8 + 90_000, "{shape} {batch}: {late:?} {should:?}");
            }
        }
    }

    #[test]
    fn what_comes_after_a_while_does_not_hold_what_was_before() {
        let retention = Retention { ms: Some(1_000_000), bytes: None };
        let mut all = All::default();
        for batch in 0..10_000u64 {
            // Many at a time, and then nothing for most of the limit.
            let now = batch / 100 * 700_000 + batch % 100;
            all.push(100, now);
            all.retain(&retention, now + 350_000);
            let exact = all.exact(&retention, now + 350_000).max(all.start);
            assert_eq!(all.start, exact, "batch {batch}");
        }
    }

    #[test]
    fn a_start_inside_a_step_counts_as_its_beginning() {
        let mut timeline = Timeline::default();
        timeline.push(Offset(10), 100, 5);
        timeline.push(Offset(20), 100, 6);
        timeline.start_raised(Offset(15));
        assert_eq!((timeline.bytes(), timeline.marks.len()), (100, 1));
        assert_eq!(timeline.start_by(&both(1, u64::MAX), 6), None);
        assert_eq!(timeline.start_by(&both(1, u64::MAX), 7), Some(Offset(20)));
    }
}
