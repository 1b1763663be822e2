//! What was tried, what was acknowledged, and what a log must therefore hold.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::model::{Sequence, ShardId, StreamId};

use super::state::Model;

/// One entry that was appended.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) sequence: Sequence,
    pub(crate) entry: Entry,
    pub(crate) payload: Vec<u8>,
}

/// One stream, as it must be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stream {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// By base: end and bytes.
    pub(crate) batches: BTreeMap<u64, (u64, Vec<u8>)>,
}

/// What was tried and what was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// Not yet known to be in the log or lost, in order.
    pub(crate) attempts: Vec<Attempt>,
    /// The highest frame acknowledged, in any life.
    pub(crate) acknowledged: Rc<Cell<Sequence>>,
    pub(crate) operations: u64,
    /// Up to `settled`: the state.
    pub(crate) model: Model,
    pub(crate) streams: BTreeMap<StreamId, Stream>,
    pub(crate) settled: Sequence,
}

/// The stream that an entry adds a batch to.
pub(crate) fn stream_of(entry: &Entry) -> Option<StreamId> {
    match entry.known_kind()? {
        EntryKind::Batch => Some(StreamId(entry.subject)),
        EntryKind::OutboxBatch => Some(StreamId::outbox(ShardId(entry.owner as u16))),
        _ => None,
    }
}

impl Oracle {
    /// The log's frames up to `last` are in it, and no others: returns those that are lost, none of which was
    /// acknowledged.
    pub(crate) fn settle(&mut self, last: Sequence) -> Vec<Attempt> {
        let acknowledged = self.acknowledged.get();
        assert!(last >= acknowledged, "frames to {last} are there; acknowledged were {acknowledged}");
        self.advance(last);
        self.acknowledged.set(last);
        std::mem::take(&mut self.attempts)
    }

    /// The log's frames up to `last` are in it; what comes later is not known.
    pub(crate) fn advance(&mut self, last: Sequence) {
        let later = self.attempts.iter().position(|attempt| attempt.sequence > last);
        let rest = self.attempts.split_off(later.unwrap_or(self.attempts.len()));
        for attempt in std::mem::replace(&mut self.attempts, rest) {
            self.model.apply(&attempt.entry, &attempt.payload);
            self.apply_to_streams(&attempt);
        }
        self.settled = last;
    }

    fn apply_to_streams(&mut self, attempt: &Attempt) {
        let Attempt { entry, payload, .. } = attempt;
        if let Some(id) = stream_of(entry) {
            let stream = self.streams.entry(id).or_default();
            let span = if entry.known_kind() == Some(EntryKind::Batch) { u64::from(entry.count) } else { 1 };
            assert_eq!(stream.end, entry.base);
            stream.end += span;
            stream.batches.insert(entry.base, (stream.end, payload.clone()));
            return;
        }
        let trimmed = match entry.known_kind() {
            Some(EntryKind::LogStart) => StreamId(entry.subject),
            Some(EntryKind::OutboxTrim) => StreamId::outbox(ShardId(entry.subject as u16)),
            Some(EntryKind::PartitionDeleted) => {
                self.streams.remove(&StreamId(entry.subject));
                return;
            }
            _ => return,
        };
        if let Some(stream) = self.streams.get_mut(&trimmed) {
            stream.start = stream.start.max(entry.base);
            let start = stream.start;
            stream.batches.retain(|_, (end, _)| *end > start);
        }
    }
}
