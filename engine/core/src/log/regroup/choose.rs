//! Which segments batches are moved out of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::io::Monotonic;
use crate::limits::{REGROUP_DEAD_MAX, REGROUP_SOURCES_MAX};
use crate::log::LogOptions;
use crate::log::format::StoreSourceV1;
use crate::log::index::{Index, SegmentState};
use crate::model::{Generation, SegmentId};

/// Why batches are moved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// Much of the segments is dead: fewer of them will do.
    Sparse,
    /// Batches of one stream lie far from each other.
    Scattered,
}

/// Segments to move batches out of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Choice {
    pub(super) reason: Reason,
    /// The emptiest first.
    pub(super) sources: Vec<SegmentId>,
    /// The life of each.
    pub(super) generations: Vec<Generation>,
}

impl Choice {
    fn of(index: &Index, reason: Reason, sources: Vec<SegmentId>) -> Self {
        let generations = sources.iter().map(|id| index.segments()[id].generation).collect();
        Self { reason, sources, generations }
    }

    /// The first `count` segments, as the frame names them.
    pub(super) fn lives(&self, count: usize) -> Vec<StoreSourceV1> {
        let lives = self.sources.iter().zip(&self.generations);
        lives.take(count).map(|(id, life)| StoreSourceV1 { segment: id.0, generation: life.0 }).collect()
    }
}

/// What is known of ended segments beside the index.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// When each was first found ended. A log that was opened knows no better.
    since: BTreeMap<(SegmentId, Generation), Monotonic>,
    /// Those that could not be read.
    refused: BTreeSet<(SegmentId, Generation)>,
    /// Segments whose batches, with so many live bytes in the log, do not fit into fewer.
    futile: (u64, BTreeSet<Vec<SegmentId>>),
}

impl Watched {
    /// Nothing more is moved out of this segment.
    pub(super) fn refuse(&mut self, segment: SegmentId, generation: Generation) {
        self.refused.insert((segment, generation));
    }

    /// Moving batches out of these segments gives nothing back, as long as nothing more of them dies.
    pub(super) fn give_up(&mut self, sources: Vec<SegmentId>) {
        self.futile.1.insert(sources);
    }

    /// Learns which segments have ended.
    pub(super) fn look(&mut self, index: &Index, now: Monotonic) {
        let is_there = |life: &(SegmentId, Generation)| {
            index.segments().get(&life.0).is_some_and(|state| state.generation == life.1)
        };
        self.since.retain(|life, _| is_there(life));
        self.refused.retain(is_there);
        if self.futile.0 != index.live_bytes() {
            self.futile = (index.live_bytes(), BTreeSet::new());
        }
        for (segment, state) in index.segments().iter().filter(|(_, state)| state.sealed) {
            self.since.entry((*segment, state.generation)).or_insert(now);
        }
    }

    fn is_refused(&self, segment: SegmentId, state: &SegmentState) -> bool {
        self.refused.contains(&(segment, state.generation))
    }

    fn age(&self, segment: SegmentId, state: &SegmentState, now: Monotonic) -> Duration {
        self.since.get(&(segment, state.generation)).map_or(Duration::ZERO, |since| now.since(*since))
    }

    /// Time until scattered batches are moved for their age; `None` if there are none.
    pub(super) fn next_due(&self, index: &Index, options: &LogOptions, now: Monotonic) -> Option<Duration> {
        let scattered = self.sources(index).filter(|(_, state)| state.is_scattered(options.run_size_min));
        scattered.map(|(id, state)| options.regroup_age.saturating_sub(self.age(id, state, now))).min()
    }

    fn sources<'a>(&'a self, index: &'a Index) -> impl Iterator<Item = (SegmentId, &'a SegmentState)> {
        let usable =
            |(id, state): &(SegmentId, &SegmentState)| state.is_source() && !self.is_refused(*id, state);
        index.segments().iter().map(|(id, state)| (*id, state)).filter(usable)
    }

    /// What to do next. `is_full`: there is no room for more segments, so that any gain is worth it.
    pub(super) fn choose(
        &self,
        index: &Index,
        options: &LogOptions,
        segment_size: u32,
        is_full: bool,
        now: Monotonic,
    ) -> Option<Choice> {
        let sparse = self.sparse(index, segment_size, is_full);
        // What takes another segment while it is done can wait where there is none.
        sparse.or_else(|| if is_full { None } else { self.scattered(index, options, now) })
    }

    /// The emptiest segments, if dead bytes take too much room.
    fn sparse(&self, index: &Index, segment_size: u32, is_full: bool) -> Option<Choice> {
        let size = u64::from(segment_size);
        let ended = index.segments().values().filter(|state| state.sealed && state.live > 0).count() as u64;
        if ended < 2 {
            return None;
        }
        let estimates = index.live_estimates();
        let mut sources: Vec<(u64, SegmentId)> =
            self.sources(index).map(|(id, _)| (estimates.get(&id).copied().unwrap_or(0), id)).collect();
        sources.sort_unstable();
        let is_ended = |id: &SegmentId| index.segments()[id].sealed;
        let live: u64 = estimates.iter().filter(|(id, _)| is_ended(id)).map(|(_, live)| live).sum();
        let dead = (ended * size).saturating_sub(live);
        // Two segments' worth is always granted: a log that holds little is not moved about.
        let granted = if is_full { size + size / 4 } else { live * REGROUP_DEAD_MAX / 100 + 2 * size };
        if dead <= granted {
            return None;
        }
        // One more than what may fit: the last is taken in part.
        let mut total = 0;
        let fits = |(live, _): &&(u64, SegmentId)| {
            total += live;
            total < size
        };
        let count = sources.iter().take_while(fits).count() + 1;
        let chosen: Vec<SegmentId> =
            sources.iter().take(count.min(REGROUP_SOURCES_MAX)).map(|(_, id)| *id).collect();
        let is_futile = chosen.len() < 2 || self.futile.1.contains(&chosen);
        (!is_futile).then(|| Choice::of(index, Reason::Sparse, chosen))
    }

    /// A segment whose batches lie scattered, and that somebody reads or that is old.
    fn scattered(&self, index: &Index, options: &LogOptions, now: Monotonic) -> Option<Choice> {
        let due = |(id, state): &(SegmentId, &SegmentState)| {
            state.is_scattered(options.run_size_min)
                && (state.asked || self.age(*id, state, now) >= options.regroup_age)
        };
        let (id, _) = self.sources(index).filter(due).min_by_key(|(_, state)| (!state.asked, state.first))?;
        Some(Choice::of(index, Reason::Scattered, vec![id]))
    }
}
