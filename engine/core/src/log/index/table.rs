//! All streams and all segments.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::regroup::payload_of;
use super::{Root, Row, Stream, end_of, stream_of};
use crate::log::StreamBounds;
use crate::log::format::{Entry, EntryKind, FrameHeader};
use crate::model::{Generation, Offset, PartitionId, Position, SegmentId, Sequence, ShardId, StreamId};

/// What a segment is for.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::log) enum SegmentClass {
    /// Frames of the log's sequence.
    #[default]
    Journal,
    /// Batches taken over from other segments, sorted by stream.
    Store,
}

/// One segment that holds frames.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::log) struct SegmentState {
    pub(in crate::log) generation: Generation,
    pub(in crate::log) class: SegmentClass,
    /// First and last frame; 0 as long as there is none. A store segment counts its own, from 1.
    pub(in crate::log) first: Sequence,
    pub(in crate::log) last: Sequence,
    /// Where its frames end.
    pub(in crate::log) end: Position,
    /// A roll has ended it.
    pub(in crate::log) sealed: bool,
    /// Its footer is durable, and its rows are no longer in memory.
    pub(in crate::log) footer: bool,
    /// Its file is not what the index names: it gets no footer, and its rows stay in memory.
    pub(in crate::log) damaged: bool,
    /// Its retirement is on its way.
    pub(in crate::log) retiring: bool,
    /// Somebody reads from it what lies scattered in it.
    pub(in crate::log) asked: bool,
    /// Bytes of live batches.
    pub(in crate::log) live: u64,
    /// Batches that came into it.
    pub(in crate::log) rows: usize,
    /// Runs of batches of one stream that lie one behind the other.
    pub(in crate::log) runs: u32,
    /// Stream of the last batch, if it came since the log was opened.
    pub(in crate::log) last_stream: Option<StreamId>,
    /// Streams that came into it, until its footer is durable; one may be listed more than once.
    pub(in crate::log) streams: Vec<StreamId>,
}

impl SegmentState {
    /// Whether it has ended and holds nothing live: it is used again before long.
    pub(in crate::log) fn is_dead(&self) -> bool {
        self.sealed && self.live == 0
    }

    /// Whether the batches of each stream lie in it in runs below `run_size` bytes on the average.
    pub(in crate::log) fn is_scattered(&self, run_size: usize) -> bool {
        let runs = u64::from(self.runs);
        self.class == SegmentClass::Journal && runs > 1 && self.live < runs * run_size as u64
    }

    /// Whether batches can be moved out of it.
    pub(in crate::log) fn is_source(&self) -> bool {
        self.sealed && self.footer && !self.damaged && !self.retiring && self.live > 0
    }

    /// Whether no start needs its frames any more, if checkpoints reach up to `covered`.
    pub(in crate::log) fn is_covered(&self, covered: Sequence) -> bool {
        self.class == SegmentClass::Store || self.last <= covered
    }
}

/// What a frame did to the index.
#[derive(Debug, Default, Eq, PartialEq)]
pub(in crate::log) struct Applied {
    /// Batches were added.
    pub(in crate::log) batches: bool,
    /// The log goes on in another segment.
    pub(in crate::log) rolled: Option<(SegmentId, Generation)>,
    /// Something was let go.
    pub(in crate::log) trimmed: bool,
    /// The last live byte of an ended segment died.
    pub(in crate::log) died: bool,
    /// Segments that hold nothing any more.
    pub(in crate::log) retired: Vec<SegmentId>,
    /// Batches were moved into a store segment.
    pub(in crate::log) regrouped: bool,
}

/// What a search found.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::log) enum Found {
    /// All rows that were asked for, or all there are.
    Rows,
    /// What comes next is in the footer of this segment: look there and go on.
    Footer { segment: SegmentId, generation: Generation },
}

/// All streams and all segments of a log, as committed.
#[derive(Debug, Default)]
pub(in crate::log) struct Index {
    pub(super) streams: HashMap<StreamId, Stream, FixedState>,
    pub(super) segments: BTreeMap<SegmentId, SegmentState>,
    pub(super) live: u64,
}

impl Index {
    /// The index of a log whose first segment is `segment`.
    pub(in crate::log) fn new(segment: SegmentId, generation: Generation) -> Self {
        let mut index = Self::default();
        index.add_segment(segment, generation);
        index
    }

    /// Takes in the next frame: `bytes`, with its header.
    ///
    /// # Panics
    /// If a payload that says what was regrouped does not read: it was checked when the frame was read.
    pub(in crate::log) fn apply(&mut self, header: &FrameHeader, entries: &[Entry], bytes: &[u8]) -> Applied {
        let mut applied = Applied::default();
        let segment = self.segments.get_mut(&header.segment).expect("a frame lies in a segment in use");
        debug_assert_eq!(segment.generation, header.generation);
        if segment.first == Sequence(0) {
            segment.first = header.sequence;
        }
        segment.last = header.sequence;
        segment.end = header.end();
        let (mut live, mut rows) = (0, 0);
        for entry in entries {
            // What compaction has left does not come behind a stream's last batch.
            let compacted = entry.kind == EntryKind::CompactedBatch.raw();
            if let Some(stream) = stream_of(entry).filter(|_| !compacted) {
                let row = Row { position: header.position.0 + entry.position, ..*entry };
                live += u64::from(entry.length);
                rows += 1;
                segment.runs += u32::from(segment.last_stream.replace(stream) != Some(stream));
                if self.streams.entry(stream).or_default().push(header.segment, row) {
                    segment.streams.push(stream);
                }
            }
        }
        segment.live += live;
        segment.rows += rows;
        self.live += live;
        applied.batches = rows > 0;
        // Behind the batches: a trim never reaches into its own frame, and segments are borrowed above.
        for entry in entries {
            self.apply_other(header, entry, bytes, &mut applied);
        }
        applied
    }

    fn apply_other(&mut self, header: &FrameHeader, entry: &Entry, bytes: &[u8], applied: &mut Applied) {
        applied.trimmed |= entry.known_kind().is_some_and(EntryKind::lets_go);
        match entry.known_kind() {
            Some(EntryKind::LogStart) => {
                applied.died |= self.trim(StreamId(entry.subject), entry.base);
            }
            Some(EntryKind::OutboxTrim) => {
                let stream = StreamId::outbox(ShardId(entry.subject as u16));
                applied.died |= self.trim(stream, entry.base);
            }
            Some(EntryKind::PartitionDeleted) => {
                let stream = StreamId::partition(PartitionId(entry.subject));
                applied.died |= self.trim(stream, u64::MAX);
                self.streams.remove(&stream);
            }
            Some(EntryKind::Roll) => {
                let (next, generation) = (SegmentId(entry.subject as u32), Generation(entry.base));
                self.segments.get_mut(&header.segment).expect("looked up before").sealed = true;
                self.add_segment(next, generation);
                applied.rolled = Some((next, generation));
            }
            Some(EntryKind::SegmentRetired) => {
                let segment = SegmentId(entry.subject as u32);
                if self.segments.get(&segment).is_some_and(|s| s.generation == Generation(entry.base)) {
                    self.segments.remove(&segment);
                    applied.retired.push(segment);
                }
            }
            Some(EntryKind::Compacted) => {
                applied.died |= self.let_go_compacted(entry);
                // There may be something worth moving together now.
                applied.trimmed = true;
            }
            Some(EntryKind::CompactedBatch) => {
                self.take_compacted(header, entry);
                applied.batches = true;
            }
            Some(EntryKind::Regrouped) => {
                self.regroup(&payload_of(entry, bytes));
                (applied.regrouped, applied.died) = (true, true);
            }
            _ => {}
        }
    }

    /// Bounds of a stream.
    pub(in crate::log) fn bounds(&self, stream: StreamId) -> Option<StreamBounds> {
        let stream = self.streams.get(&stream)?;
        Some(StreamBounds { start: Offset(stream.start), end: Offset(stream.end) })
    }

    /// Appends the rows of `stream` from the one that holds `from`, at least one if there is one, and no more
    /// than `bytes_max` bytes of batches beyond it. `footer` gives the rows of a segment that are not in
    /// memory, if it has them: those of this stream from the one that holds an offset, in order.
    pub(in crate::log) fn find<I: Iterator<Item = Row>>(
        &self,
        stream: StreamId,
        from: u64,
        bytes_max: usize,
        mut footer: impl FnMut(SegmentId, u64) -> Option<I>,
        out: &mut Vec<(SegmentId, Row)>,
    ) -> Found {
        let Some(found) = self.streams.get(&stream) else { return Found::Rows };
        let mut bytes = 0usize;
        let mut take = |segment: SegmentId, row: Row| {
            bytes += row.length as usize;
            let fits = out.is_empty() || bytes <= bytes_max;
            if fits {
                out.push((segment, row));
            }
            fits
        };
        for root in found.roots.iter().skip(found.root_at(from)) {
            let state = &self.segments[&root.segment];
            if !state.footer {
                let first = root.rows.partition_point(|row| end_of(row) <= from);
                if !root.rows[first..].iter().all(|row| take(root.segment, *row)) {
                    return Found::Rows;
                }
                continue;
            }
            match footer(root.segment, from.max(root.base)) {
                Some(rows) => {
                    // Others of the stream there are none of the root's.
                    let mut rows = rows.take_while(|row| row.base < root.end);
                    if !rows.all(|row| take(root.segment, row)) {
                        return Found::Rows;
                    }
                }
                None if out.is_empty() => {
                    return Found::Footer { segment: root.segment, generation: state.generation };
                }
                None => return Found::Rows,
            }
        }
        Found::Rows
    }

    /// Rows of `segment`, sorted by stream and offset, for its footer.
    pub(in crate::log) fn footer_rows(&self, segment: SegmentId) -> Vec<Row> {
        let state = &self.segments[&segment];
        let mut streams = state.streams.clone();
        streams.sort_unstable();
        // A stream that was trimmed away and came back is listed twice.
        streams.dedup();
        let mut rows = Vec::with_capacity(state.rows);
        for stream in streams {
            let roots = self.streams.get(&stream).map(|stream| &stream.roots);
            for root in roots.into_iter().flatten().filter(|root| root.segment == segment) {
                rows.extend_from_slice(&root.rows);
            }
        }
        debug_assert!(rows.len() <= state.rows);
        rows
    }

    /// Whether the batch of `row`, which was found in `segment`, is one that is kept.
    pub(in crate::log) fn keeps(&self, segment: SegmentId, row: &Row) -> bool {
        let stream = stream_of(row).and_then(|stream| self.streams.get(&stream));
        // A stream may have been trimmed away and have come back in the same segment, or have been moved out of it in
        // part.
        let root = stream.and_then(|stream| stream.roots.get(stream.root_at(row.base)));
        root.is_some_and(|root| root.segment == segment && row.base >= root.base)
    }

    /// Whether the batch of `row`, which was found in `segment`, holds something that can be read.
    pub(in crate::log) fn is_live(&self, segment: SegmentId, row: &Row) -> bool {
        let stream = stream_of(row).and_then(|stream| self.streams.get(&stream));
        self.keeps(segment, row) && stream.is_some_and(|stream| stream.start < end_of(row))
    }

    /// What can be read of the streams that lie in `segment`: from an offset to the one behind the last, by stream.
    pub(in crate::log) fn parts_in(&self, segment: SegmentId) -> Vec<(StreamId, Offset, Offset)> {
        let mut parts = Vec::new();
        for (id, stream) in &self.streams {
            for root in stream.roots.iter().filter(|root| root.segment == segment) {
                parts.push((*id, Offset(root.base.max(stream.start)), Offset(root.end)));
            }
        }
        parts.sort_unstable();
        parts
    }

    /// The footer of `segment` is durable: its rows need not be kept in memory.
    pub(in crate::log) fn footer_durable(&mut self, segment: SegmentId) {
        let Some(state) = self.segments.get_mut(&segment) else { return };
        state.footer = true;
        for stream in std::mem::take(&mut state.streams) {
            let roots = self.streams.get_mut(&stream).map(|stream| &mut stream.roots);
            for root in roots.into_iter().flatten().filter(|root| root.segment == segment) {
                root.rows = Vec::new();
            }
        }
    }

    /// Which of the parts of `stream` holds `offset`, counted from the first, and where it ends.
    pub(in crate::log) fn root_of(&self, stream: StreamId, offset: u64) -> Option<(usize, u64)> {
        let stream = self.streams.get(&stream)?;
        let number = stream.root_at(offset);
        stream.roots.get(number).map(|root| (number, root.end))
    }

    /// The segments, by id.
    pub(in crate::log) fn segments(&self) -> &BTreeMap<SegmentId, SegmentState> {
        &self.segments
    }

    /// One segment, to be changed.
    pub(in crate::log) fn segment_mut(&mut self, segment: SegmentId) -> Option<&mut SegmentState> {
        self.segments.get_mut(&segment)
    }

    /// Bytes of live batches.
    pub(in crate::log) fn live_bytes(&self) -> u64 {
        self.live
    }

    pub(super) fn add_segment(&mut self, segment: SegmentId, generation: Generation) {
        let end = Position(crate::limits::BLOCK_SIZE as u32);
        let added = SegmentState { generation, end, ..SegmentState::default() };
        let before = self.segments.insert(segment, added);
        assert!(before.is_none(), "a segment is retired before it is used again");
    }

    /// Raises the start of `stream`. Returns whether the last live byte of an ended segment died.
    fn trim(&mut self, stream: StreamId, start: u64) -> bool {
        let Some(stream) = self.streams.get_mut(&stream) else { return false };
        stream.start = stream.start.max(start);
        stream.end = stream.end.max(stream.start);
        let mut died = false;
        while let Some(root) = stream.roots.front()
            && root.end <= stream.start
        {
            let Root { segment, bytes, .. } = *root;
            stream.roots.pop_front();
            self.live -= bytes;
            let state = self.segments.get_mut(&segment).expect("live bytes lie in a segment in use");
            state.live -= bytes;
            died |= state.is_dead();
        }
        died
    }
}
