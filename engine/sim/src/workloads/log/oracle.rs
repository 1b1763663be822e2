//! What was tried, what was acknowledged, and what a log must therefore hold.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::model::{Sequence, ShardId, StreamId};

use super::forge::Forger;
use super::state::{Model, Promised};

/// One entry that was appended.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) sequence: Sequence,
    pub(super) entry: Entry,
    pub(super) payload: Rc<[u8]>,
}

/// One stream, as it must be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Stream {
    pub(super) start: u64,
    pub(super) end: u64,
    /// By base.
    pub(super) batches: BTreeMap<u64, Batch>,
}

/// One batch of a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Batch {
    pub(super) end: u64,
    pub(super) entry: Entry,
    pub(super) bytes: Rc<[u8]>,
}

/// What was tried and what was acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    /// Not yet known to be in the log or lost, in order.
    pub(super) attempts: Vec<Attempt>,
    /// In any life.
    pub(super) promised: Rc<Cell<Promised>>,
    pub(super) operations: u64,
    /// What all before them come to.
    pub(super) model: Model,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    /// Partitions that were ever made; the newest are in use.
    pub(super) partitions: u64,
    pub(super) forger: Forger,
    /// Reads that are under way.
    reading: u64,
    /// Batches that were let go meanwhile.
    pub(super) let_go: BTreeMap<(StreamId, u64), Batch>,
}

/// Offsets that an entry takes up in its stream.
pub(super) fn span_of(entry: &Entry) -> u64 {
    if entry.known_kind() == Some(EntryKind::Batch) { u64::from(entry.count) } else { 1 }
}

/// The stream that an entry adds a batch to.
pub(super) fn stream_of(entry: &Entry) -> Option<StreamId> {
    match entry.known_kind()? {
        EntryKind::Batch => Some(StreamId(entry.subject)),
        EntryKind::OutboxBatch => Some(StreamId::outbox(ShardId(entry.owner as u16))),
        _ => None,
    }
}

impl Oracle {
    /// The same, with an account of its own of what was acknowledged.
    pub(super) fn fork(&self) -> Self {
        Self { promised: Rc::new(Cell::new(self.promised.get())), ..self.clone() }
    }

    pub(super) fn read_begun(&mut self) {
        self.reading += 1;
    }

    pub(super) fn read_ended(&mut self) {
        self.reading -= 1;
        if self.reading == 0 {
            self.let_go.clear();
        }
    }

    /// The log's frames up to `last` are in it, and no others, and its start has made that durable: returns
    /// those that are lost, none of which was acknowledged.
    pub(super) fn settle(&mut self, last: Sequence) -> Vec<Attempt> {
        // Those of the process before ended with it.
        self.reading = 0;
        self.let_go.clear();
        let promised = self.promised.get();
        let acknowledged = promised.acknowledged;
        assert!(last >= acknowledged, "frames to {last} are there; acknowledged were {acknowledged}");
        self.advance(last);
        self.promised.set(Promised { acknowledged: last, vouched: last, ..promised });
        std::mem::take(&mut self.attempts)
    }

    /// The log's frames up to `last` are in it; what comes later is not known.
    pub(super) fn advance(&mut self, last: Sequence) {
        let later = self.attempts.iter().position(|attempt| attempt.sequence > last);
        let rest = self.attempts.split_off(later.unwrap_or(self.attempts.len()));
        for attempt in std::mem::replace(&mut self.attempts, rest) {
            self.model.apply(&attempt.entry, &attempt.payload);
            self.apply_to_streams(&attempt);
        }
    }

    /// Bytes of batches that must be kept.
    pub(super) fn live_bytes(&self) -> u64 {
        let batches = self.streams.values().flat_map(|stream| stream.batches.values());
        batches.map(|batch| batch.bytes.len() as u64).sum()
    }

    fn apply_to_streams(&mut self, attempt: &Attempt) {
        let Attempt { entry, payload, .. } = attempt;
        if let Some(id) = stream_of(entry) {
            let stream = self.streams.entry(id).or_default();
            assert_eq!(stream.end, entry.base, "what was appended follows");
            stream.end += span_of(entry);
            let batch = Batch { end: stream.end, entry: *entry, bytes: Rc::clone(payload) };
            stream.batches.insert(entry.base, batch);
            return;
        }
        let trimmed = match entry.known_kind() {
            Some(EntryKind::LogStart) => StreamId(entry.subject),
            Some(EntryKind::OutboxTrim) => StreamId::outbox(ShardId(entry.subject as u16)),
            Some(EntryKind::PartitionDeleted) => {
                let id = StreamId(entry.subject);
                let stream = self.streams.remove(&id).unwrap_or_default();
                self.remember(id, stream.batches);
                return;
            }
            _ => return,
        };
        if let Some(stream) = self.streams.get_mut(&trimmed) {
            stream.start = stream.start.max(entry.base);
            let start = stream.start;
            let gone = stream.batches.extract_if(.., |_, batch| batch.end <= start).collect();
            self.remember(trimmed, gone);
        }
    }

    fn remember(&mut self, stream: StreamId, gone: BTreeMap<u64, Batch>) {
        if self.reading > 0 {
            self.let_go.extend(gone.into_iter().map(|(base, batch)| ((stream, base), batch)));
        }
    }
}
