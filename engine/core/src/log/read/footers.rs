//! Footers of sealed segments, kept once they were read.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use thalweg_archive::Validated;

use crate::limits::FOOTERS_CACHED_MAX;
use crate::log::format::FooterV1;
use crate::log::index::{Row, end_of, stream_of};
use crate::model::{SegmentId, StreamId};

/// Footers read most recently.
#[derive(Default)]
pub(in crate::log) struct FooterCache {
    footers: BTreeMap<SegmentId, Rc<Validated<FooterV1>>>,
    /// Oldest first.
    order: VecDeque<SegmentId>,
}

impl FooterCache {
    pub(in crate::log) fn insert(&mut self, segment: SegmentId, footer: Validated<FooterV1>) {
        self.forget(segment);
        self.footers.insert(segment, Rc::new(footer));
        self.order.push_back(segment);
        if self.order.len() > FOOTERS_CACHED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.footers.remove(&oldest);
        }
    }

    pub(in crate::log) fn forget(&mut self, segment: SegmentId) {
        if self.footers.remove(&segment).is_some() {
            self.order.retain(|other| *other != segment);
        }
    }

    /// Rows of `stream` in `segment` from the one that holds `from`, if the segment's footer is here.
    pub(in crate::log) fn rows(
        &self,
        segment: SegmentId,
        stream: StreamId,
        from: u64,
    ) -> Option<impl Iterator<Item = Row> + use<'_>> {
        let rows = self.footers.get(&segment)?.value().rows.as_slice();
        let first = rows.partition_point(|row| {
            let row = Row::from(row);
            (stream_of(&row), end_of(&row)) <= (Some(stream), from)
        });
        let of_stream = move |row: &Row| stream_of(row) == Some(stream);
        Some(rows[first..].iter().map(Row::from).take_while(of_stream))
    }
}
