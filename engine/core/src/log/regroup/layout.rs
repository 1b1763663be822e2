//! Where batches go in a store segment. Pure.

use std::ops::Range;

use crate::limits::{BLOCK_SIZE, PAYLOAD_ALIGN};
use crate::log::format::{FRAME_HEADER_SIZE, directory_size_for, footer_size};
use crate::log::index::{Row, end_of, stream_of};
use crate::model::{SegmentId, StreamId};

/// A live batch, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) segment: SegmentId,
    pub(super) row: Row,
    /// Which part of its stream it is in, counted from the first at one moment.
    pub(super) root: usize,
    /// Offset behind that part.
    pub(super) root_end: u64,
}

impl Placed {
    /// What batches are sorted by.
    pub(super) fn key(&self) -> (Option<StreamId>, u64) {
        (self.stream(), self.row.base)
    }

    pub(super) fn stream(&self) -> Option<StreamId> {
        stream_of(&self.row)
    }

    /// Whether it goes into one part of its stream with `before`: nothing of the stream that lies elsewhere is between.
    pub(super) fn follows(&self, before: &Self) -> bool {
        let is_next = self.root == before.root + 1 && end_of(&before.row) == before.root_end;
        self.stream() == before.stream() && (self.root == before.root || is_next)
    }
}

/// What a store segment may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) segment_size: usize,
    /// Bytes of a frame from which on another one begins.
    pub(super) frame_size: usize,
    /// Most parts of streams.
    pub(super) parts: usize,
}

/// One store frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FramePlan {
    /// Its batches, by their places among those given.
    pub(super) rows: Range<usize>,
    /// Where it begins in the segment.
    pub(super) position: usize,
    pub(super) length: usize,
    pub(super) payload_start: usize,
    pub(super) payload_end: usize,
}

/// One store segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct SegmentPlan {
    pub(super) frames: Vec<FramePlan>,
    /// Where each batch begins in its frame.
    pub(super) places: Vec<u32>,
    /// Where the frames end.
    pub(super) end: usize,
}

/// The frame being filled.
#[derive(Clone, Copy, Debug)]
struct Open {
    first: usize,
    rows: usize,
    payload: usize,
}

impl Open {
    fn with(self, row: &Row) -> Self {
        let payload = self.payload.next_multiple_of(PAYLOAD_ALIGN) + row.length as usize;
        Self { rows: self.rows + 1, payload, ..self }
    }

    fn payload_start(self) -> usize {
        (FRAME_HEADER_SIZE + directory_size_for(self.rows)).next_multiple_of(PAYLOAD_ALIGN)
    }

    fn length(self) -> usize {
        (self.payload_start() + self.payload).next_multiple_of(BLOCK_SIZE)
    }
}

/// What goes into one store segment.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// Sorted by stream and offset.
    pub(super) copied: Vec<Placed>,
    /// What stays in the last segment that batches are taken from.
    pub(super) left: Vec<Placed>,
    /// Segments that batches are taken from.
    pub(super) sources: usize,
    pub(super) plan: SegmentPlan,
}

impl Selection {
    /// Segments that nothing stays in.
    pub(super) fn emptied(&self) -> usize {
        self.sources - usize::from(!self.left.is_empty())
    }

    /// Bytes of the batches.
    pub(super) fn bytes(&self) -> u64 {
        self.copied.iter().map(|placed| u64::from(placed.row.length)).sum()
    }
}

/// Takes the batches of as many segments as fit, and of the next one the first that do. `rows`: those of each segment,
/// sorted by stream and offset.
pub(super) fn select(rows: &[Vec<Placed>], bounds: Bounds) -> Selection {
    let mut selection =
        Selection { copied: Vec::new(), left: Vec::new(), sources: 0, plan: SegmentPlan::default() };
    for of_segment in rows {
        selection.sources += 1;
        let try_first = |count: usize| {
            let mut all = [&selection.copied[..], &of_segment[..count]].concat();
            all.sort_by_key(Placed::key);
            let plan = plan_segment(&all, bounds);
            (plan.places.len() == all.len()).then_some((all, plan))
        };
        let (mut fits, mut too_many) = (0, of_segment.len() + 1);
        let mut best = None;
        let mut count = of_segment.len();
        while fits + 1 < too_many {
            match try_first(count) {
                Some(found) => (fits, best) = (count, Some(found)),
                None => too_many = count,
            }
            count = usize::midpoint(fits, too_many);
        }
        if let Some((copied, plan)) = best {
            (selection.copied, selection.plan) = (copied, plan);
        }
        selection.left = of_segment[fits..].to_vec();
        if !selection.left.is_empty() {
            // A segment that nothing fits of is none of the sources.
            selection.sources -= usize::from(fits == 0);
            if fits == 0 {
                selection.left.clear();
            }
            break;
        }
    }
    selection
}

/// Places the first of `rows`, which are sorted by stream and offset: as many as fit.
pub(super) fn plan_segment(rows: &[Placed], bounds: Bounds) -> SegmentPlan {
    let mut plan = SegmentPlan { end: BLOCK_SIZE, ..SegmentPlan::default() };
    let mut open = Open { first: 0, rows: 0, payload: 0 };
    let mut parts = 0;
    for (number, placed) in rows.iter().enumerate() {
        let row = &placed.row;
        parts += usize::from(number == 0 || !placed.follows(&rows[number - 1]));
        let mut with = open.with(row);
        let mut end = plan.end;
        let closes = open.rows > 0 && with.length() > bounds.frame_size;
        if closes {
            end += open.length();
            with = Open { first: number, rows: 0, payload: 0 }.with(row);
        }
        if parts > bounds.parts || end + with.length() + footer_size(number + 1) > bounds.segment_size {
            break;
        }
        if closes {
            close(&mut plan, open, rows);
        }
        open = with;
    }
    if open.rows > 0 {
        close(&mut plan, open, rows);
    }
    plan
}

fn close(plan: &mut SegmentPlan, open: Open, rows: &[Placed]) {
    let range = open.first..open.first + open.rows;
    let payload_start = open.payload_start();
    let mut at = payload_start;
    for placed in &rows[range.clone()] {
        at = at.next_multiple_of(PAYLOAD_ALIGN);
        plan.places.push(at as u32);
        at += placed.row.length as usize;
    }
    debug_assert_eq!(at, payload_start + open.payload);
    let (position, length) = (plan.end, open.length());
    plan.frames.push(FramePlan { rows: range, position, length, payload_start, payload_end: at });
    plan.end += length;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::EntryKind;

    fn rows(lengths: impl Iterator<Item = u32>) -> Vec<Placed> {
        let row = |(number, length)| Row {
            kind: EntryKind::Batch.raw(),
            subject: number as u64 / 10,
            base: number as u64,
            count: 1,
            length,
            ..Row::default()
        };
        lengths
            .enumerate()
            .map(row)
            .map(|row| Placed { segment: SegmentId(1), row, root: 0, root_end: u64::MAX })
            .collect()
    }

    #[test]
    fn frames_follow_each_other_and_leave_room_for_the_footer() {
        let bounds = Bounds { segment_size: 256 << 10, frame_size: 32 << 10, parts: 1000 };
        for (length, count) in [(1, 5000), (100, 5000), (4000, 100), (40_000, 10), (100_000, 3)] {
            let rows = rows((0..count).map(|n| length + n % 7));
            let plan = plan_segment(&rows, bounds);
            let placed = plan.places.len();
            assert!(placed > 0 && placed < rows.len(), "{length}: {placed} of {}", rows.len());
            assert!(plan.end + footer_size(placed) <= bounds.segment_size);
            let (mut position, mut next) = (BLOCK_SIZE, 0);
            for frame in &plan.frames {
                assert_eq!((frame.position, frame.rows.start), (position, next));
                assert!(frame.length <= bounds.frame_size || frame.rows.len() == 1);
                let mut at = frame.payload_start;
                for number in frame.rows.clone() {
                    let place = plan.places[number] as usize;
                    assert!(place >= at && place < at + PAYLOAD_ALIGN && place.is_multiple_of(PAYLOAD_ALIGN));
                    at = place + rows[number].row.length as usize;
                }
                assert_eq!(at, frame.payload_end);
                assert_eq!(at.next_multiple_of(BLOCK_SIZE), frame.length);
                (position, next) = (position + frame.length, frame.rows.end);
            }
            assert_eq!((position, next), (plan.end, placed));
        }
    }

    #[test]
    fn whole_segments_are_taken_and_the_last_one_in_part() {
        let bounds = Bounds { segment_size: 256 << 10, frame_size: 32 << 10, parts: 1000 };
        let of_segments: Vec<Vec<Placed>> = (0..4).map(|_| rows((0..60).map(|_| 1000))).collect();
        let selection = select(&of_segments, bounds);
        let copied = selection.copied.len();
        assert!(copied < 240 && copied > 200, "{copied}");
        assert_eq!((selection.sources, selection.emptied()), (4, 3));
        assert_eq!((copied + selection.left.len(), selection.plan.places.len()), (240, copied));
        assert!(selection.copied.is_sorted_by_key(Placed::key));
        // One batch more does not fit.
        let mut more = selection.copied.clone();
        more.push(selection.left[0]);
        more.sort_by_key(Placed::key);
        assert_eq!(plan_segment(&more, bounds).places.len(), copied);
        let two = select(&of_segments[..2], bounds);
        assert_eq!((two.sources, two.emptied(), two.copied.len()), (2, 2, 120));
        let large = select(&[rows((0..2).map(|_| 100_000)), rows((0..1).map(|_| 100_000))], bounds);
        assert_eq!((large.sources, large.emptied(), large.copied.len()), (1, 1, 2));
    }

    #[test]
    fn no_more_parts_are_placed_than_the_frame_that_names_them_can_hold() {
        let rows = rows((0..1000).map(|_| 10));
        let bounds = Bounds { segment_size: 1 << 20, frame_size: 64 << 10, parts: 7 };
        assert_eq!(plan_segment(&rows, bounds).places.len(), 70);
        assert_eq!(plan_segment(&rows, Bounds { parts: 1000, ..bounds }).places.len(), 1000);
    }
}
