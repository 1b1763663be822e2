//! Moving batches from segments that the log went through into a store segment.

use std::ops::Range;

use super::{Index, Root, SegmentClass, SegmentState};
use crate::log::format::{Entry, RegroupV1, StorePartV1, StoreRestV1, StoreSourceV1, read_regroup};
use crate::model::{Generation, Position, SegmentId, Sequence, StreamId};

/// What a [`Regrouped`](crate::log::format::EntryKind::Regrouped) entry of the frame `bytes` says.
///
/// # Panics
/// If it does not read: whoever read the frame has checked it.
pub(super) fn payload_of(entry: &Entry, bytes: &[u8]) -> RegroupV1 {
    let payload = &bytes[entry.position as usize..][..entry.length as usize];
    read_regroup(payload).expect("the payload was checked when the frame was read")
}

/// What stays of stream `id`: rests are sorted by stream.
fn rests_of(regroup: &RegroupV1, id: StreamId) -> &[StoreRestV1] {
    let rests = &regroup.rests;
    let first = rests.partition_point(|rest| rest.stream < id.0);
    let count = rests[first..].partition_point(|rest| rest.stream == id.0);
    &rests[first..first + count]
}

impl Index {
    /// Takes in a store segment. What died since it was planned is not taken over.
    pub(super) fn regroup(&mut self, regroup: &RegroupV1) {
        let segment = SegmentId(regroup.segment);
        self.add_segment(segment, Generation(regroup.generation));
        let mut live = 0;
        for parts in regroup.parts.chunk_by(|a, b| a.stream == b.stream) {
            let id = StreamId(parts[0].stream);
            // Of a stream that was deleted meanwhile nothing is left anywhere.
            if self.streams.contains_key(&id) {
                let copied = self.let_go(id, regroup, rests_of(regroup, id));
                live += self.take_over(id, segment, parts, &copied);
            }
        }
        self.live += live;
        let state = self.segment_mut(segment).expect("it was just added");
        *state = SegmentState {
            class: SegmentClass::Store,
            first: Sequence(1),
            last: Sequence(regroup.frames),
            end: Position(regroup.end),
            sealed: true,
            footer: true,
            live,
            ..std::mem::take(state)
        };
    }

    /// Takes what was copied of stream `id` off the segments that it was copied from; returns which offsets that were.
    fn let_go(&mut self, id: StreamId, regroup: &RegroupV1, rests: &[StoreRestV1]) -> Vec<Range<u64>> {
        let mut copied = Vec::new();
        let stream = self.streams.get_mut(&id).expect("the caller looked it up");
        for mut root in std::mem::take(&mut stream.roots) {
            let source = root.segment;
            let generation = self.segments[&source].generation.0;
            if !regroup.sources.contains(&StoreSourceV1 { segment: source.0, generation }) {
                stream.roots.push_back(root);
                continue;
            }
            let offsets = root.base..root.end;
            let is_rest = |rest: &&StoreRestV1| rest.segment == source.0 && offsets.contains(&rest.base);
            let rest = rests.iter().find(is_rest);
            let gone = root.bytes.saturating_sub(rest.map_or(0, |rest| rest.bytes));
            copied.push(root.base..rest.map_or(root.end, |rest| rest.base));
            self.live -= gone;
            self.segments.get_mut(&source).expect("live bytes lie in a segment in use").live -= gone;
            if let Some(rest) = rest {
                (root.base, root.bytes, root.timestamp_max) =
                    (rest.base, root.bytes - gone, rest.timestamp_max);
                // At a start they may be in memory once more.
                root.rows.retain(|row| row.base >= rest.base);
                stream.roots.push_back(root);
            }
        }
        copied
    }

    /// Finds `parts` of stream `id` in `segment` from now on, as far as they are among the offsets `copied`; returns their
    /// bytes.
    fn take_over(
        &mut self,
        id: StreamId,
        segment: SegmentId,
        parts: &[StorePartV1],
        copied: &[Range<u64>],
    ) -> u64 {
        let stream = self.streams.get_mut(&id).expect("the caller looked it up");
        let mut live = 0;
        // What was trimmed since, or deleted and made again, is not there any more.
        let is_there = |part: &&StorePartV1| {
            copied.iter().any(|offsets| offsets.start < part.end && part.base < offsets.end)
        };
        for part in parts.iter().filter(is_there) {
            let StorePartV1 { base, end, bytes, timestamp_max, .. } = *part;
            let root = Root { segment, base, end, bytes, timestamp_max, rows: Vec::new() };
            stream.roots.insert(stream.root_at(base), root);
            live += bytes;
        }
        live
    }

    /// Bytes of the live batches of `segment`, where those of a stream that was trimmed within it are told by the share
    /// of its offsets that is left.
    pub(in crate::log) fn live_estimates(&self) -> std::collections::BTreeMap<SegmentId, u64> {
        let mut estimates: std::collections::BTreeMap<_, u64> =
            self.segments.iter().map(|(segment, state)| (*segment, state.live)).collect();
        for stream in self.streams.values() {
            let Some(root) = stream.roots.front().filter(|root| root.base < stream.start) else { continue };
            let (span, dead) = (root.end - root.base, stream.start - root.base);
            let dead_bytes = (u128::from(root.bytes) * u128::from(dead) / u128::from(span.max(1))) as u64;
            let estimate = estimates.get_mut(&root.segment).expect("a root lies in a segment in use");
            *estimate = estimate.saturating_sub(dead_bytes);
        }
        estimates
    }
}
