//! One stream: its bounds, and its part in each segment.

use std::collections::VecDeque;

use super::{Row, end_of};
use crate::model::SegmentId;

/// The part of a stream that lies in one segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::log) struct Root {
    pub(in crate::log) segment: SegmentId,
    /// First offset in it.
    pub(in crate::log) base: u64,
    /// Offset behind the last in it.
    pub(in crate::log) end: u64,
    /// Bytes of its batches.
    pub(in crate::log) bytes: u64,
    /// Largest timestamp of its batches, of those before the stream's start too. Milliseconds since 1970.
    pub(in crate::log) timestamp_max: i64,
    /// Its batches in order, until the segment's footer is durable.
    pub(in crate::log) rows: Vec<Row>,
}

impl Root {
    /// Adds the batch behind its last.
    pub(super) fn push(&mut self, row: Row) {
        self.end = end_of(&row);
        self.bytes += u64::from(row.length);
        self.timestamp_max = self.timestamp_max.max(row.timestamp_max);
        self.rows.push(row);
    }
}

/// One stream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::log) struct Stream {
    pub(in crate::log) start: u64,
    pub(in crate::log) end: u64,
    /// In order of offsets.
    pub(in crate::log) roots: VecDeque<Root>,
}

impl Stream {
    /// Adds a batch in `segment`. Returns whether it is the stream's first there.
    pub(super) fn push(&mut self, segment: SegmentId, row: Row) -> bool {
        debug_assert!(row.base >= self.end || self.roots.is_empty(), "offsets only rise");
        let begins = self.roots.back().is_none_or(|root| root.segment != segment);
        if begins {
            if self.roots.is_empty() && self.start == self.end {
                self.start = row.base;
            }
            let timestamp_max = row.timestamp_max;
            self.roots.push_back(Root { segment, base: row.base, timestamp_max, ..Root::default() });
        }
        let root = self.roots.back_mut().expect("a root was pushed");
        root.push(row);
        self.end = root.end;
        begins
    }

    /// The root that holds `offset`, or the first behind it.
    pub(super) fn root_at(&self, offset: u64) -> usize {
        self.roots.partition_point(|root| root.end <= offset)
    }
}
