//! The index in a checkpoint, and back.

use thalweg_archive::{Envelope, Kind, deserialize, encode_into, view};

use super::{Index, Root, Row, SegmentClass, Stream, end_of, stream_of};
use crate::limits::CHECKPOINT_SLICE_ROWS;
use crate::log::RestoreError;
use crate::log::format::{RootV2, RowTableV1, SegmentRowV2, SegmentTableV2, StreamRowV2, StreamTableV2};
use crate::model::{Generation, Position, SegmentId, Sequence, StreamId};

/// The tables of an index as of one frame. The rows stay in the index: those of a segment are only added to,
/// and which of them count is remembered.
#[derive(Debug, Default)]
pub(in crate::log) struct IndexSnapshot {
    /// Not yet written, the next ones last.
    segments: Vec<SegmentRowV2>,
    streams: Vec<StreamRowV2>,
    rows: Vec<RowRange>,
}

#[derive(Clone, Copy, Debug)]
struct RowRange {
    segment: SegmentId,
    stream: StreamId,
    /// First offset of the stream's part in the segment. A stream that was trimmed away and came back there
    /// has another one, whose rows came behind the snapshot.
    base: u64,
    from: usize,
    to: usize,
}

impl Index {
    /// Remembers the index as it is now.
    pub(in crate::log) fn snapshot(&self) -> IndexSnapshot {
        let mut snapshot = IndexSnapshot::default();
        for (segment, state) in &self.segments {
            snapshot.segments.push(SegmentRowV2 {
                segment: segment.0,
                generation: state.generation.0,
                first: state.first.0,
                last: state.last.0,
                end: state.end.0,
                sealed: state.sealed,
                footer: state.footer,
                store: state.class == SegmentClass::Store,
                runs: state.runs,
            });
        }
        // A journal segment without a frame comes behind the others: the log goes on there.
        snapshot.segments.sort_by_key(|row| std::cmp::Reverse((row.store, row.first.wrapping_sub(1))));
        let mut streams: Vec<StreamId> = self.streams.keys().copied().collect();
        streams.sort_unstable_by(|a, b| b.cmp(a));
        for id in streams {
            let stream = &self.streams[&id];
            let root_row = |root: &Root| RootV2 {
                segment: root.segment.0,
                base: root.base,
                end: root.end,
                bytes: root.bytes,
                timestamp_max: root.timestamp_max,
            };
            let roots = stream.roots.iter().map(root_row).collect();
            snapshot.streams.push(StreamRowV2 { stream: id.0, start: stream.start, end: stream.end, roots });
            let ranges = stream.roots.iter().filter(|root| !root.rows.is_empty()).map(|root| RowRange {
                segment: root.segment,
                stream: id,
                base: root.base,
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
            SegmentTableV2::TYPE => {
                let table = deserialize::<SegmentTableV2>(view::<SegmentTableV2>(bytes)?);
                table.segments.iter().try_for_each(|row| self.restore_segment(row))
            }
            StreamTableV2::TYPE => {
                let table = deserialize::<StreamTableV2>(view::<StreamTableV2>(bytes)?);
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

    fn restore_segment(&mut self, row: &SegmentRowV2) -> Result<(), RestoreError> {
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
        state.runs = row.runs;
        if row.store {
            if !(row.sealed && row.footer) {
                return Err(RestoreError::Contradiction { what: "a store segment is not whole" });
            }
            state.class = SegmentClass::Store;
        }
        Ok(())
    }

    fn restore_stream(&mut self, row: &StreamRowV2) -> Result<(), RestoreError> {
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
            let RootV2 { base, end, bytes, timestamp_max, .. } = *root;
            stream.roots.push_back(Root { segment, base, end, bytes, timestamp_max, rows: Vec::new() });
        }
        if self.streams.insert(id, stream).is_some() {
            return Err(RestoreError::Contradiction { what: "a stream comes twice" });
        }
        Ok(())
    }

    fn restore_row(&mut self, segment: SegmentId, row: Row) -> Result<(), RestoreError> {
        let what = "a row belongs to no root";
        let stream = stream_of(&row).and_then(|stream| self.streams.get_mut(&stream));
        let root = stream.and_then(|stream| {
            let at = stream.root_at(row.base);
            stream.roots.get_mut(at)
        });
        let Some(root) = root.filter(|root| root.segment == segment) else {
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
            encode_into(&SegmentTableV2 { segments }, out);
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
            encode_into(&StreamTableV2 { streams }, out);
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
            table.rows.extend_from_slice(index.rows_of(range, to));
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
    /// The rows of `range` up to `to`; none if they were dropped since.
    fn rows_of(&self, range: &RowRange, to: usize) -> &[Row] {
        let roots = self.streams.get(&range.stream).map(|stream| &stream.roots);
        let is_it = |root: &&Root| root.segment == range.segment && root.base == range.base;
        let root = roots.into_iter().flatten().find(is_it);
        root.and_then(|root| root.rows.get(range.from..to)).unwrap_or_default()
    }
}

/// Takes up to `count` from the end of `all`, the last first.
fn take_last<T>(all: &mut Vec<T>, count: usize) -> Vec<T> {
    let mut taken = all.split_off(all.len().saturating_sub(count));
    taken.reverse();
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::{Entry, EntryKind, FrameHeader};

    const SEGMENT: SegmentId = SegmentId(0);
    const STREAM: StreamId = StreamId(7);

    /// Frame `sequence` with one batch of `STREAM`, one record at `base`, stamped before 1970, the later the earlier.
    fn push(index: &mut Index, sequence: u64, base: u64) {
        let (kind, timestamp_max) = (EntryKind::Batch as u16, -(base as i64));
        apply(
            index,
            sequence,
            Entry { kind, base, count: 1, length: 100, timestamp_max, ..Entry::default() },
        );
    }

    fn trim(index: &mut Index, sequence: u64, base: u64) {
        apply(index, sequence, Entry { kind: EntryKind::LogStart as u16, base, ..Entry::default() });
    }

    fn apply(index: &mut Index, sequence: u64, entry: Entry) {
        let position = Position(4096 * sequence as u32);
        let generation = Generation(1);
        let header = FrameHeader {
            sequence: Sequence(sequence),
            segment: SEGMENT,
            generation,
            position,
            ..FrameHeader::default()
        };
        index.apply(&header, &[Entry { subject: STREAM.0, ..entry }], &[]);
    }

    fn rows(index: &Index) -> Vec<u64> {
        index.streams[&STREAM].roots.iter().flat_map(|root| root.rows.iter().map(|row| row.base)).collect()
    }

    #[test]
    fn a_stream_that_comes_back_while_a_checkpoint_is_written_keeps_to_its_own_rows() {
        for trimmed_after in 0..3 {
            let mut index = Index::new(SEGMENT, Generation(1));
            push(&mut index, 1, 5);
            let mut snapshot = index.snapshot();
            let mut slices = Vec::new();
            for slice in 0..=3 {
                if slice == trimmed_after {
                    trim(&mut index, 2, 6);
                    push(&mut index, 3, 6);
                    push(&mut index, 4, 7);
                }
                let mut bytes = Vec::new();
                if snapshot.next_slice(&index, &mut bytes) {
                    slices.push(bytes);
                }
            }
            let mut restored = Index::default();
            for bytes in &slices {
                restored.restore(bytes).expect("a checkpoint does not contradict itself");
            }
            trim(&mut restored, 2, 6);
            push(&mut restored, 3, 6);
            push(&mut restored, 4, 7);
            assert_eq!(rows(&restored), [6, 7], "trimmed before slice {trimmed_after}");
            assert_eq!(restored.streams[&STREAM].roots[0].timestamp_max, -6);
            assert_eq!(restored.streams, index.streams);
            assert_eq!(restored.live, index.live);
        }
    }
}
