//! Virtual time: what happens when, and what the wall clock says.

use std::collections::BTreeMap;
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
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { now_ns: 0, events: BTreeMap::new(), scheduled: 0, wall_step_ms: 0, wall_stopped_at_ms: None }
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

    pub(crate) fn step_wall(&mut self, by_ms: i64) {
        self.wall_step_ms = self.wall_step_ms.saturating_add(by_ms);
        if let Some(stopped) = &mut self.wall_stopped_at_ms {
            *stopped = stopped.saturating_add(by_ms);
        }
    }

    pub(crate) fn wall_stopped(&self) -> bool {
        self.wall_stopped_at_ms.is_some()
    }

    pub(crate) fn stop_wall(&mut self, stopped: bool) {
        self.wall_stopped_at_ms = stopped.then(|| self.wall_ms());
    }

    fn wall_going_ms(&self) -> i64 {
        let elapsed_ms = i64::try_from(self.now_ns / 1_000_000).unwrap_or(i64::MAX);
        WALL_START_MS.saturating_add(elapsed_ms).saturating_add(self.wall_step_ms)
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
