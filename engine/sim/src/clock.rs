//! Virtual time: what happens when, and what the wall clock says.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::task::Waker;
use std::time::Duration;

use crate::disk::OperationId;

/// The wall clock when a world begins. Milliseconds since 1970.
const WALL_START_MS: i64 = 1_700_000_000_000;

#[derive(Debug)]
pub(crate) enum Event {
    /// A task's time has come.
    Wake(Waker),
    /// A step of a disk operation is done.
    Disk(OperationId),
    /// A pause is over: nothing to do but look again.
    Tick,
}

#[derive(Debug)]
pub(crate) struct Clock {
    now_ns: u64,
    events: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    wall_step_ms: i64,
    wall_stopped_at_ms: Option<i64>,
    /// Before it was stepped, stopped or set going last.
    history: Vec<WallSpan>,
}

/// A time in which the wall clock only went on, or only stood still.
#[derive(Clone, Copy, Debug)]
struct WallSpan {
    from_ns: u64,
    to_ns: u64,
    from_ms: i64,
    to_ms: i64,
}

/// What the wall clock said over some time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WallRange {
    /// From the least to the most. Milliseconds since 1970.
    pub said_ms: RangeInclusive<i64>,
    /// How far that was ahead of the time that had passed since the world began. Milliseconds.
    pub ahead_ms: RangeInclusive<i64>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            now_ns: 0,
            events: BTreeMap::new(),
            scheduled: 0,
            wall_step_ms: 0,
            wall_stopped_at_ms: None,
            history: Vec::new(),
        }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now_ns = self.now_ns.saturating_add(nanos(by));
    }

    pub(crate) fn schedule(&mut self, at_ns: u64, event: Event) {
        self.scheduled += 1;
        self.events.insert((at_ns, self.scheduled), event);
    }

    /// The next event that is due, if one is.
    pub(crate) fn pop_due(&mut self) -> Option<Event> {
        let entry = self.events.first_entry()?;
        (entry.key().0 <= self.now_ns).then(|| entry.remove())
    }

    /// Moves to the next event; false if there is none.
    pub(crate) fn jump(&mut self) -> bool {
        let Some((&(at_ns, _), _)) = self.events.first_key_value() else { return false };
        self.now_ns = self.now_ns.max(at_ns);
        true
    }

    /// Forgets every event; the caller drops them outside any borrow, for a waker's drop may run code.
    pub(crate) fn take_events(&mut self) -> BTreeMap<(u64, u64), Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        self.wall_stopped_at_ms.unwrap_or_else(|| self.wall_going_ms())
    }

    /// What the wall clock said between two times, at every moment of them.
    ///
    /// # Panics
    /// If both are still to come.
    pub(crate) fn wall_range(&self, from_ns: u64, to_ns: u64) -> WallRange {
        let now = WallSpan { to_ns: self.now_ns, to_ms: self.wall_ms(), ..self.span_begun() };
        let (mut said, mut ahead) = (None, None);
        let spans = self.history.iter().chain([&now]);
        for span in spans.filter(|span| span.from_ns <= to_ns && span.to_ns >= from_ns) {
            let stands = span.from_ms == span.to_ms;
            for at_ns in [span.from_ns.max(from_ns), span.to_ns.min(to_ns)] {
                let since_ms = ((at_ns - span.from_ns) / 1_000_000) as i64;
                let said_ms = span.from_ms + if stands { 0 } else { since_ms };
                let ahead_ms = said_ms - WALL_START_MS - (at_ns / 1_000_000) as i64;
                said = Some(widened(said, said_ms));
                ahead = Some(widened(ahead, ahead_ms));
            }
        }
        let what = "a time that was not before the world, nor is to come";
        WallRange { said_ms: said.expect(what), ahead_ms: ahead.expect(what) }
    }

    /// The present span, up to its beginning.
    fn span_begun(&self) -> WallSpan {
        let from_ns = self.history.last().map_or(0, |span| span.to_ns);
        let going_ms = ((self.now_ns - from_ns) / 1_000_000) as i64;
        let from_ms = self.wall_ms() - if self.wall_stopped() { 0 } else { going_ms };
        WallSpan { from_ns, to_ns: from_ns, from_ms, to_ms: from_ms }
    }

    /// The wall clock is about to do something else than go on.
    fn end_span(&mut self) {
        let span = WallSpan { to_ns: self.now_ns, to_ms: self.wall_ms(), ..self.span_begun() };
        self.history.push(span);
    }

    pub(crate) fn step_wall(&mut self, by_ms: i64) {
        self.end_span();
        self.wall_step_ms = self.wall_step_ms.saturating_add(by_ms);
        if let Some(stopped) = &mut self.wall_stopped_at_ms {
            *stopped = stopped.saturating_add(by_ms);
        }
    }

    pub(crate) fn wall_stopped(&self) -> bool {
        self.wall_stopped_at_ms.is_some()
    }

    pub(crate) fn stop_wall(&mut self, stopped: bool) {
        self.end_span();
        self.wall_stopped_at_ms = stopped.then(|| self.wall_ms());
    }

    fn wall_going_ms(&self) -> i64 {
        let elapsed_ms = i64::try_from(self.now_ns / 1_000_000).unwrap_or(i64::MAX);
        WALL_START_MS.saturating_add(elapsed_ms).saturating_add(self.wall_step_ms)
    }
}

fn widened(range: Option<RangeInclusive<i64>>, value: i64) -> RangeInclusive<i64> {
    let range = range.unwrap_or(value..=value);
    (*range.start()).min(value)..=(*range.end()).max(value)
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wall_clock_said_is_known_for_every_time() {
        const SECOND: u64 = 1_000_000_000;
        let mut clock = Clock::new();
        let pass = |clock: &mut Clock| clock.advance(Duration::from_secs(10));
        pass(&mut clock);
        clock.step_wall(-5_000);
        pass(&mut clock);
        clock.stop_wall(true);
        pass(&mut clock);
        let range = |from, to| {
            let WallRange { said_ms, ahead_ms } = clock.wall_range(from * SECOND, to * SECOND);
            let said_ms = said_ms.start() - WALL_START_MS..=said_ms.end() - WALL_START_MS;
            (said_ms, ahead_ms)
        };
        assert_eq!(range(2, 7), (2_000..=7_000, 0..=0));
        assert_eq!(range(8, 12), (5_000..=10_000, -5_000..=0));
        assert_eq!(range(15, 25), (10_000..=15_000, -10_000..=-5_000));
        assert_eq!(range(0, 30), (0..=15_000, -15_000..=0));
    }
}
