//! Batches of a partition replaced by what compaction left of them.

use super::{Index, Root, Row, end_of, stream_of};
use crate::log::format::{Entry, FrameHeader};
use crate::model::{Generation, SegmentId, StreamId};

/// A part of a stream in an ended segment, which compaction can replace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::log) struct Movable {
    pub(in crate::log) segment: SegmentId,
    pub(in crate::log) generation: Generation,
    /// First offset in it.
    pub(in crate::log) base: u64,
    /// Offset behind the last in it.
    pub(in crate::log) end: u64,
    /// Bytes of its batches.
    pub(in crate::log) bytes: u64,
}

impl Index {
    /// The parts of `stream` from its first on that lie in ended segments whose footers are durable, in order: they end
    /// before the first that does not.
    pub(in crate::log) fn movable(&self, stream: StreamId) -> impl Iterator<Item = Movable> + '_ {
        let roots = self.streams.get(&stream).into_iter().flat_map(|stream| &stream.roots);
        roots.map_while(|root| self.movable_of(root))
    }

    /// The part of `stream` that reaches behind `from`, if it is such a one.
    pub(in crate::log) fn movable_behind(&self, stream: StreamId, from: u64) -> Option<Movable> {
        let stream = self.streams.get(&stream)?;
        stream.roots.get(stream.root_at(from)).and_then(|root| self.movable_of(root))
    }

    fn movable_of(&self, root: &Root) -> Option<Movable> {
        let state = &self.segments[&root.segment];
        let Root { segment, base, end, bytes, .. } = *root;
        state.is_source().then_some(Movable { segment, generation: state.generation, base, end, bytes })
    }

    /// Lets go of what a [`Compacted`](crate::log::format::EntryKind::Compacted) entry replaces. What was trimmed since it was
    /// planned is not there any more. Returns whether the last live byte of an ended segment died.
    pub(super) fn let_go_compacted(&mut self, entry: &Entry) -> bool {
        let (base, end) = (entry.base, entry.owner);
        let Some(stream) = self.streams.get_mut(&StreamId(entry.subject)) else { return false };
        let first = stream.roots.partition_point(|root| root.base < base);
        let mut died = false;
        while let Some(root) = stream.roots.get_mut(first).filter(|root| root.base < end) {
            let rest = if root.end > end { u64::from(entry.sequence) } else { 0 };
            let gone = root.bytes.saturating_sub(rest);
            self.live -= gone;
            let state = self.segments.get_mut(&root.segment).expect("live bytes lie in a segment in use");
            state.live -= gone;
            died |= state.is_dead();
            if root.end > end {
                (root.base, root.bytes, root.timestamp_max) = (end, root.bytes - gone, entry.timestamp_max);
                // At a start they may be in memory once more.
                root.rows.retain(|row| row.base >= end);
                break;
            }
            stream.roots.remove(first);
        }
        died
    }

    /// Finds what compaction left where `entry` of this frame holds it, unless all of it was trimmed or deleted since.
    pub(super) fn take_compacted(&mut self, header: &FrameHeader, entry: &Entry) {
        let Some(id) = stream_of(entry) else { return };
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.start < end_of(entry)) else {
            return;
        };
        let segment = self.segments.get_mut(&header.segment).expect("a frame lies in a segment in use");
        let row = Row { position: header.position.0 + entry.position, ..*entry };
        segment.runs += u32::from(segment.last_stream.replace(id) != Some(id));
        segment.rows += 1;
        segment.live += u64::from(row.length);
        self.live += u64::from(row.length);
        let at = stream.root_at(row.base);
        // Nothing of the stream that lies elsewhere is between.
        let joins = at > 0 && stream.roots[at - 1].segment == header.segment;
        if joins {
            stream.roots[at - 1].push(row);
        } else {
            segment.streams.push(id);
            let timestamp_max = row.timestamp_max;
            let mut root = Root { segment: header.segment, base: row.base, timestamp_max, ..Root::default() };
            root.push(row);
            stream.roots.insert(at, root);
        }
    }
}
