//! Flow control between loading and counting.

use std::sync::{Condvar, Mutex, PoisonError};

/// Lets the loaders run ahead of the counting only so far, so that the end-to-end latency is that of the
/// engine and not that of a backlog.
#[derive(Debug)]
pub(super) struct Pace {
    state: Mutex<State>,
    changed: Condvar,
    /// Lines that may be loaded and not yet counted.
    lead: u64,
}

#[derive(Debug, Default)]
struct State {
    committed: u64,
    stopped: bool,
}

impl Pace {
    /// `lead`: lines that may be loaded and not yet counted.
    #[must_use]
    pub(super) fn new(lead: u64) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), lead }
    }

    /// Blocks until line `line` is within the lead. False if the demo has been stopped.
    #[must_use]
    pub(super) fn wait_until_wanted(&self, line: u64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.stopped && line > state.committed + self.lead {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.stopped
    }

    /// The counting has come to line `committed`.
    pub(super) fn committed(&self, committed: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.committed = state.committed.max(committed);
        self.changed.notify_all();
    }

    /// No more lines are wanted.
    pub(super) fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_line_beyond_the_lead_waits_for_the_counting() {
        let pace = Arc::new(Pace::new(10));
        assert!(pace.wait_until_wanted(10));
        let waiting = Arc::clone(&pace);
        let waiter = crate::clock::spawn(move || waiting.wait_until_wanted(15));
        pace.committed(5);
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn stopping_releases_everybody() {
        let pace = Arc::new(Pace::new(0));
        let waiting = Arc::clone(&pace);
        let waiter = crate::clock::spawn(move || waiting.wait_until_wanted(1));
        pace.stop();
        assert!(!waiter.join().unwrap());
    }
}
