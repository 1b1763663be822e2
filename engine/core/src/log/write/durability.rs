//! Which frames are durable: a decision over completions, without any disk.

use std::collections::VecDeque;

use crate::log::FlushMethod;
use crate::model::Sequence;

/// Tells from the completions of writes and flushes which frames are durable.
///
/// Frame `n` is durable when every write up to `n` has completed and, unless writes are durable by themselves,
/// a flush that was issued after those completions has succeeded.
#[derive(Debug)]
pub(crate) struct DurabilityTracker {
    method: FlushMethod,
    durable: Sequence,
    /// Every write up to here has completed.
    written: Sequence,
    /// Whether the write of each frame behind `written` has completed; the last one is the newest issued.
    pending: VecDeque<bool>,
    /// What the flush in flight makes durable.
    flushing: Option<Sequence>,
}

impl DurabilityTracker {
    /// Everything up to `durable` is durable, nothing is in flight.
    pub(crate) fn new(method: FlushMethod, durable: Sequence) -> Self {
        Self { method, durable, written: durable, pending: VecDeque::new(), flushing: None }
    }

    /// The highest frame known durable, as are all before it.
    pub(crate) fn durable(&self) -> Sequence {
        self.durable
    }

    /// Frames issued and not yet durable.
    pub(crate) fn beyond(&self) -> usize {
        (self.issued().0 - self.durable.0) as usize
    }

    /// Writes issued and not yet completed.
    pub(crate) fn writes_in_flight(&self) -> usize {
        self.pending.iter().filter(|completed| !**completed).count()
    }

    /// The write of `sequence`, which follows the one issued before, is issued.
    pub(crate) fn issue(&mut self, sequence: Sequence) {
        assert_eq!(sequence, self.issued().next(), "writes are issued in order");
        self.pending.push_back(false);
    }

    /// The write of `sequence` has completed. Returns whether an earlier one has not.
    pub(crate) fn complete(&mut self, sequence: Sequence) -> bool {
        assert!(sequence > self.written, "a write completes once");
        let index = (sequence.0 - self.written.0 - 1) as usize;
        assert!(!self.pending[index], "a write completes once");
        self.pending[index] = true;
        while self.pending.front() == Some(&true) {
            self.pending.pop_front();
            self.written = self.written.next();
        }
        if self.method == FlushMethod::WriteThrough {
            self.durable = self.written;
        }
        self.written < sequence
    }

    /// Begins a flush, if there is something for it to cover and none is in flight: the frames that it will
    /// make durable, first (exclusive) and last. The caller then flushes every file that holds one of them.
    pub(crate) fn begin_flush(&mut self) -> Option<(Sequence, Sequence)> {
        if self.method == FlushMethod::WriteThrough || self.flushing.is_some() || self.written == self.durable
        {
            return None;
        }
        // Only what is written by now: a flush says nothing about writes still in flight when it is issued.
        self.flushing = Some(self.written);
        Some((self.durable, self.written))
    }

    /// The flush in flight has succeeded.
    pub(crate) fn end_flush(&mut self) {
        let covered = self.flushing.take().expect("a flush ends after it began");
        debug_assert!(covered > self.durable);
        self.durable = covered;
    }

    fn issued(&self) -> Sequence {
        Sequence(self.written.0 + self.pending.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The rule as it is written down, with everything remembered and nothing clever.
    #[derive(Clone, Default)]
    struct Oracle {
        issued: u64,
        completed: BTreeSet<u64>,
        /// What had completed when the flush in flight was issued.
        flushing: Option<BTreeSet<u64>>,
        flushed: BTreeSet<u64>,
    }

    impl Oracle {
        fn durable(&self, method: FlushMethod) -> u64 {
            let set = if method == FlushMethod::WriteThrough { &self.completed } else { &self.flushed };
            (1..).take_while(|n| set.contains(n)).last().unwrap_or(0)
        }

        fn written(&self) -> u64 {
            (1..).take_while(|n| self.completed.contains(n)).last().unwrap_or(0)
        }
    }

    /// Events as numbers: 0 issue, 1 begin flush, 2 end flush, 3 + n complete frame n.
    fn explore(method: FlushMethod, events: &mut Vec<u64>, depth: usize, visited: &mut u64) {
        let (mut tracker, mut oracle) = (DurabilityTracker::new(method, Sequence(0)), Oracle::default());
        for event in events.iter() {
            step(method, &mut tracker, &mut oracle, *event);
        }
        *visited += 1;
        assert_eq!(tracker.durable().0, oracle.durable(method), "after {events:?}");
        assert_eq!(tracker.beyond() as u64, oracle.issued - oracle.durable(method));
        assert_eq!(tracker.writes_in_flight() as u64, oracle.issued - oracle.completed.len() as u64);
        if depth == 0 {
            return;
        }
        let mut possible = vec![0, 1];
        possible.extend(oracle.flushing.is_some().then_some(2));
        possible.extend((1..=oracle.issued).filter(|n| !oracle.completed.contains(n)).map(|n| n + 3));
        for event in possible {
            events.push(event);
            explore(method, events, depth - 1, visited);
            events.pop();
        }
    }

    fn step(method: FlushMethod, tracker: &mut DurabilityTracker, oracle: &mut Oracle, event: u64) {
        match event {
            0 => {
                oracle.issued += 1;
                tracker.issue(Sequence(oracle.issued));
            }
            1 => {
                let useful = oracle.written() > oracle.durable(method);
                let expected = method == FlushMethod::Flush && oracle.flushing.is_none() && useful;
                let range = (Sequence(oracle.durable(method)), Sequence(oracle.written()));
                assert_eq!(tracker.begin_flush(), expected.then_some(range));
                if expected {
                    oracle.flushing = Some(oracle.completed.clone());
                }
            }
            2 => {
                // The flush covers all that had completed; the tracker may not count what has a gap before it.
                oracle.flushed = oracle.flushing.take().unwrap();
                tracker.end_flush();
            }
            complete => {
                let earlier_missing = (1..complete - 3).any(|n| !oracle.completed.contains(&n));
                oracle.completed.insert(complete - 3);
                assert_eq!(tracker.complete(Sequence(complete - 3)), earlier_missing);
            }
        }
    }

    #[test]
    fn durable_is_what_the_rule_says_after_every_sequence_of_events() {
        for method in [FlushMethod::WriteThrough, FlushMethod::Flush] {
            let mut visited = 0;
            explore(method, &mut Vec::new(), 9, &mut visited);
            assert!(visited > 10_000, "only {visited} states");
        }
    }

    #[test]
    fn a_flush_does_not_cover_a_write_that_completes_during_it() {
        let mut tracker = DurabilityTracker::new(FlushMethod::Flush, Sequence(7));
        tracker.issue(Sequence(8));
        tracker.issue(Sequence(9));
        tracker.complete(Sequence(8));
        assert_eq!(tracker.begin_flush(), Some((Sequence(7), Sequence(8))));
        tracker.complete(Sequence(9));
        tracker.end_flush();
        assert_eq!(tracker.durable(), Sequence(8));
        assert_eq!(tracker.begin_flush(), Some((Sequence(8), Sequence(9))));
        tracker.end_flush();
        assert_eq!(tracker.durable(), Sequence(9));
    }
}
