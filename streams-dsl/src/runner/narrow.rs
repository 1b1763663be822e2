//! Finding the record that makes a commit fail.
//!
//! An aggregation notices at a commit what one of its inputs, thousands of records ago, is too large for. So a
//! commit that fails is tried again from the committed positions on with half as many records, until one record
//! is alone.

use crate::task::Place;

/// How a task goes on after a failure.
#[derive(Debug)]
pub(super) struct Narrow {
    /// Most records in a commit.
    records_max: u64,
    /// Records among which there is one that fails.
    left: u64,
    /// A record that is left out.
    skipped: Option<Place>,
}

impl Narrow {
    /// Nothing has failed.
    pub(super) fn new() -> Self {
        Self { records_max: u64::MAX, left: 0, skipped: None }
    }

    /// Most records in the next commit.
    pub(super) fn records_max(&self) -> u64 {
        self.records_max
    }

    pub(super) fn skipped(&self) -> Option<Place> {
        self.skipped
    }

    /// A commit of the next `records` records fails, of which `last` is the last. Returns it if it is alone.
    pub(super) fn failed(&mut self, records: u64, last: Option<Place>) -> Option<Place> {
        if records <= 1 {
            return last;
        }
        self.records_max = records / 2;
        self.left = self.left.max(records);
        None
    }

    /// Leaves out `place`, and everything else goes on as before.
    pub(super) fn skip(&mut self, place: Place) {
        *self = Self { skipped: Some(place), ..Self::new() };
    }

    /// A commit of `records` records is durable.
    pub(super) fn committed(&mut self, records: u64) {
        self.left = self.left.saturating_sub(records);
        if self.left == 0 {
            self.records_max = u64::MAX;
        }
    }
}
