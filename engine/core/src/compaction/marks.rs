//! How far a partition has been compacted, and since when. Pure: a fold over frames.

use std::collections::VecDeque;

use crate::limits::COMPACTION_MARKS_MAX;
use crate::log::format::{Entry, EntryKind};
use crate::model::{Offset, Sequence};

/// That a pass got through.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct CompactionMark {
    /// Up to where.
    pub(crate) end: Offset,
    /// When, by the log's clock. Milliseconds.
    pub(crate) at: u64,
    /// Tombstones that lie before.
    pub(crate) tombstones: u32,
}

/// What compaction knows of a partition.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct CompactionState {
    /// Before it no key comes twice.
    pub(crate) clean: Offset,
    /// Marks before which there are tombstones, in order.
    pub(crate) marks: VecDeque<CompactionMark>,
    /// The last frame that is contained here: it is not taken in again at a start.
    pub(crate) applied: Sequence,
}

impl CompactionState {
    /// The mark's entry; [`CompactionState::take_mark`] reads it.
    pub(crate) fn mark_entry(partition: u64, mark: &CompactionMark, gone_before: Offset) -> Entry {
        Entry {
            kind: EntryKind::CompactionMark.raw(),
            subject: partition,
            base: mark.end.0,
            owner: mark.at,
            count: mark.tombstones,
            timestamp_max: gone_before.0 as i64,
            ..Entry::default()
        }
    }

    /// Takes in a mark.
    pub(crate) fn take_mark(&mut self, entry: &Entry) {
        let mark = CompactionMark { end: Offset(entry.base), at: entry.owner, tombstones: entry.count };
        let gone_before = Offset(entry.timestamp_max as u64);
        self.clean = self.clean.max(mark.end);
        if mark.tombstones == 0 {
            self.marks.clear();
            return;
        }
        self.marks.retain(|known| known.end > gone_before);
        if self.marks.back().is_some_and(|last| last.end >= mark.end) {
            return;
        }
        if self.marks.len() == COMPACTION_MARKS_MAX {
            // Its tombstones stay a little longer; were it the oldest, some might stay for ever.
            self.marks.pop_back();
        }
        self.marks.push_back(mark);
    }

    /// Offset before which tombstones have been there for `delay` milliseconds at `now`.
    pub(crate) fn gone_before(&self, now: u64, delay: u64) -> Offset {
        let is_over = |mark: &&CompactionMark| mark.at.saturating_add(delay) <= now;
        self.marks.iter().take_while(is_over).last().map_or(Offset(0), |mark| mark.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(state: &mut CompactionState, end: u64, at: u64, tombstones: u32, gone_before: u64) {
        let mark = CompactionMark { end: Offset(end), at, tombstones };
        state.take_mark(&CompactionState::mark_entry(7, &mark, Offset(gone_before)));
    }

    #[test]
    fn a_tombstone_goes_once_the_first_mark_behind_it_is_old_enough() {
        let mut state = CompactionState::default();
        take(&mut state, 100, 1000, 2, 0);
        take(&mut state, 200, 5000, 5, 0);
        assert_eq!(state.gone_before(1099, 100), Offset(0));
        assert_eq!(state.gone_before(1100, 100), Offset(100));
        assert_eq!(state.gone_before(5100, 100), Offset(200));
        take(&mut state, 200, 6000, 3, 100);
        assert_eq!(state.gone_before(5100, 100), Offset(200), "the first mark of an offset counts");
        assert_eq!(state.marks.len(), 1);
        take(&mut state, 300, 7000, 0, 200);
        assert_eq!((state.marks.len(), state.clean), (0, Offset(300)));
    }

    #[test]
    fn however_many_passes_there_are_the_oldest_tombstones_go() {
        let mut state = CompactionState::default();
        for pass in 1..1000 {
            take(&mut state, pass * 10, pass, 1, 0);
            assert!(state.marks.len() <= COMPACTION_MARKS_MAX);
        }
        assert_eq!(state.gone_before(101, 100), Offset(10));
        assert_eq!(state.gone_before(1099, 100), Offset(9990));
    }
}
