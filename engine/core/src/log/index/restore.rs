//! The index in a checkpoint, and back.

use thalweg_archive::{Envelope, Kind, deserialize, encode_into, view};

use super::{Index, Root, Row, Stream, end_of, stream_of};
use crate::limits::CHECKPOINT_SLICE_ROWS;
use crate::log::RestoreError;
use crate::log::format::{RootV1, RowTableV1, SegmentRowV1, SegmentTableV1, StreamRowV1, StreamTableV1};
use crate::model::{Generation, Position, SegmentId, Sequence, StreamId};

/// The tables of an index as of one frame. The rows stay in the index: those of a segment are only added to,
/// and which of them count is remembered.
#[derive(Debug, Default)]
pub(in crate::log) struct IndexSnapshot {
    /// Not yet written, the next ones last.
    segments: Vec<SegmentRowV1>,
    streams: Vec<StreamRowV1>,
    rows: Vec<RowRange>,
}

#[derive(Clone, Copy, Debug)]
struct RowRange {
    segment: SegmentId,
    stream: StreamId,
    from: usize,
    to: usize,
}

impl Index {
    /// Remembers the index as it is now.
    pub(in crate::log) fn snapshot(&self) -> IndexSnapshot {
        let mut snapshot = IndexSnapshot::default();
        for (segment, state) in &self.segments {
            snapshot.segments.push(SegmentRowV1 {
                segment: segment.0,
                generation: state.generation.0,
                first: state.first.0,
                last: state.last.0,
                end: state.end.0,
                sealed: state.sealed,
                footer: state.footer,
            });
        }
        // A segment without a frame comes last: the log goes on there.
        snapshot.segments.sort_by_key(|row| std::cmp::Reverse(row.first.wrapping_sub(1)));
        let mut streams: Vec<StreamId> = self.streams.keys().copied().collect();
        streams.sort_unstable_by(|a, b| b.cmp(a));
        for id in streams {
            let stream = &self.streams[&id];
            let root_row = |root: &Root| RootV1 {
                segment: root.segment.0,
                base: root.base,
                end: root.end,
                bytes: root.bytes,
            };
            let roots = stream.roots.iter().map(root_row).collect();
            snapshot.streams.push(StreamRowV1 { stream: id.0, start: stream.start, end: stream.end, roots });
            let ranges = stream.roots.iter().filter(|root| !root.rows.is_empty()).map(|root| RowRange {
                segment: root.segment,
                stream: id,
                from: 0,
                to: root.rows.len(),
            });
            snapshot.rows.extend(ranges);
        }
        // Within a segment by stream, so that a slice holds rows of one segment.
        snapshot.rows.sort_by_key(|range| std::cmp::Reverse((range.segment, range.stream)));
        snapshot
    }

    /// Takes in one slice that [`IndexSnapshot::next_slice`] made, in the same order.
    pub(in crate::log) fn restore(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let envelope = Envelope::read(bytes)?;
        match envelope.kind {
            SegmentTableV1::TYPE => {
                let table = deserialize::<SegmentTableV1>(view::<SegmentTableV1>(bytes)?);
                table.segments.iter().try_for_each(|row| self.restore_segment(row))
            }
            StreamTableV1::TYPE => {
                let table = deserialize::<StreamTableV1>(view::<StreamTableV1>(bytes)?);
                table.streams.iter().try_for_each(|row| self.restore_stream(row))
            }
            RowTableV1::TYPE => {
                let table = view::<RowTableV1>(bytes)?;
                let segment = SegmentId(table.segment.to_native());
                table.rows.iter().try_for_each(|row| self.restore_row(segment, Row::from(row)))
            }
            kind => Err(RestoreError::Unknown { kind, version: envelope.version }),
        }
    }

    fn restore_segment(&mut self, row: &SegmentRowV1) -> Result<(), RestoreError> {
        let segment = SegmentId(row.segment);
        if self.segments.contains_key(&segment) {
            return Err(RestoreError::Contradiction { what: "a segment comes twice" });
        }
        self.add_segment(segment, Generation(row.generation));
        let state = self.segment_mut(segment).expect("it was just added");
        state.first = Sequence(row.first);
        state.last = Sequence(row.last);
        state.end = Position(row.end);
        state.sealed = row.sealed;
        state.footer = row.footer;
        Ok(())
    }

    fn restore_stream(&mut self, row: &StreamRowV1) -> Result<(), RestoreError> {
        let id = StreamId(row.stream);
        let mut stream = Stream { start: row.start, end: row.end, ..Stream::default() };
        for root in &row.roots {
            let segment = SegmentId(root.segment);
            let Some(state) = self.segments.get_mut(&segment) else {
                return Err(RestoreError::Contradiction { what: "a stream lies in an unknown segment" });
            };
            state.live = state.live.saturating_add(root.bytes);
            self.live = self.live.saturating_add(root.bytes);
            if !state.footer {
                state.streams.push(id);
            }
            let (base, end, bytes) = (root.base, root.end, root.bytes);
            stream.roots.push_back(Root { segment, base, end, bytes, rows: Vec::new() });
        }
        if self.streams.insert(id, stream).is_some() {
            return Err(RestoreError::Contradiction { what: "a stream comes twice" });
        }
        Ok(())
    }

    fn restore_row(&mut self, segment: SegmentId, row: Row) -> Result<(), RestoreError> {
        let what = "a row belongs to no root";
        let stream = stream_of(&row).and_then(|stream| self.streams.get_mut(&stream));
        let Some(root) = stream.and_then(|s| s.roots.iter_mut().find(|root| root.segment == segment)) else {
            return Err(RestoreError::Contradiction { what });
        };
        if row.base < root.base || end_of(&row) > root.end {
            return Err(RestoreError::Contradiction { what });
        }
        root.rows.push(row);
        let Some(state) = self.segments.get_mut(&segment) else {
            return Err(RestoreError::Contradiction { what });
        };
        state.rows += 1;
        Ok(())
    }
}

impl IndexSnapshot {
    /// Appends the next slice to `out`: segments, then streams, then rows. `false` if there is none left.
    ///
    /// `index`: the one that the snapshot was taken of, which may have moved on. What it has dropped since
    /// then was dropped by frames behind the snapshot, which drop it again when they are replayed.
    pub(in crate::log) fn next_slice(&mut self, index: &Index, out: &mut Vec<u8>) -> bool {
        if !self.segments.is_empty() {
            let segments = take_last(&mut self.segments, CHECKPOINT_SLICE_ROWS);
            encode_into(&SegmentTableV1 { segments }, out);
            return true;
        }
        if !self.streams.is_empty() {
            let mut streams = Vec::new();
            let mut weight = 0;
            while weight < CHECKPOINT_SLICE_ROWS
                && let Some(stream) = self.streams.pop()
            {
                weight += 1 + stream.roots.len();
                streams.push(stream);
            }
            encode_into(&StreamTableV1 { streams }, out);
            return true;
        }
        let mut table = RowTableV1::default();
        while table.rows.len() < CHECKPOINT_SLICE_ROWS
            && let Some(range) = self.rows.last_mut()
        {
            if !table.rows.is_empty() && table.segment != range.segment.0 {
                break;
            }
            table.segment = range.segment.0;
            let to = range.to.min(range.from + CHECKPOINT_SLICE_ROWS - table.rows.len());
            table.rows.extend_from_slice(index.rows_of(range.stream, range.segment, range.from, to));
            range.from = to;
            if range.from == range.to {
                self.rows.pop();
            }
        }
        if table.rows.is_empty() {
            return false;
        }
        encode_into(&table, out);
        true
    }
}

impl Index {
    fn rows_of(&self, stream: StreamId, segment: SegmentId, from: usize, to: usize) -> &[Row] {
        let roots = self.streams.get(&stream).map(|stream| &stream.roots);
        let root = roots.into_iter().flatten().find(|root| root.segment == segment);
        root.and_then(|root| root.rows.get(from..to)).unwrap_or_default()
    }
}

/// Takes up to `count` from the end of `all`, the last first.
fn take_last<T>(all: &mut Vec<T>, count: usize) -> Vec<T> {
    let mut taken = all.split_off(all.len().saturating_sub(count));
    taken.reverse();
    taken
}
