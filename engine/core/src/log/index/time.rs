//! Where the batches of a time lie.

use super::{Index, Root, Row, end_of};
use crate::model::{Generation, SegmentId, StreamId};

/// What came of a search by time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::log) enum Sought<T> {
    /// This, or nothing.
    Found(Option<T>),
    /// It depends on the footer of this segment: look there and begin again.
    Footer { segment: SegmentId, generation: Generation },
}

impl Index {
    /// The first row of `stream` that reaches behind `from` and whose batch has a record of `timestamp` or later.
    /// `footer`: as for [`Index::find`].
    pub(in crate::log) fn first_since<I: Iterator<Item = Row>>(
        &self,
        stream: StreamId,
        from: u64,
        timestamp: i64,
        mut footer: impl FnMut(SegmentId, u64) -> Option<I>,
    ) -> Sought<Row> {
        let Some(found) = self.streams.get(&stream) else { return Sought::Found(None) };
        let roots = found.roots.iter().skip(found.root_at(from));
        for root in roots.filter(|root| root.timestamp_max >= timestamp) {
            let mut found = None;
            let known = self.rows_in(root, from, &mut footer, |row| {
                if row.timestamp_max >= timestamp {
                    found = found.or(Some(row));
                }
            });
            if !known {
                return self.footer_of(root);
            }
            if found.is_some() {
                return Sought::Found(found);
            }
        }
        Sought::Found(None)
    }

    /// The largest timestamp of all batches of `stream` that begin at `from` or behind it.
    pub(in crate::log) fn largest_since<I: Iterator<Item = Row>>(
        &self,
        stream: StreamId,
        from: u64,
        mut footer: impl FnMut(SegmentId, u64) -> Option<I>,
    ) -> Sought<i64> {
        let Some(found) = self.streams.get(&stream) else { return Sought::Found(None) };
        let mut largest = None;
        for root in found.roots.iter().skip(found.root_at(from)) {
            if root.base >= from {
                largest = largest.max(Some(root.timestamp_max));
                continue;
            }
            let known = self.rows_in(root, from, &mut footer, |row| {
                if row.base >= from {
                    largest = largest.max(Some(row.timestamp_max));
                }
            });
            if !known {
                return self.footer_of(root);
            }
        }
        Sought::Found(largest)
    }

    /// Calls `take` with the rows of `root` that reach behind `from`, in order. `false` if they are not in memory.
    fn rows_in<I: Iterator<Item = Row>>(
        &self,
        root: &Root,
        from: u64,
        footer: &mut impl FnMut(SegmentId, u64) -> Option<I>,
        mut take: impl FnMut(Row),
    ) -> bool {
        if !self.segments[&root.segment].footer {
            let first = root.rows.partition_point(|row| end_of(row) <= from);
            root.rows[first..].iter().for_each(|row| take(*row));
            return true;
        }
        let Some(rows) = footer(root.segment, from.max(root.base)) else { return false };
        rows.take_while(|row| row.base < root.end).for_each(take);
        true
    }

    fn footer_of<T>(&self, root: &Root) -> Sought<T> {
        let generation = self.segments[&root.segment].generation;
        Sought::Footer { segment: root.segment, generation }
    }
}
