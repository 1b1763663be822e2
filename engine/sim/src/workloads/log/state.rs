//! A state machine that is easy to compare.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use thalweg_engine::log::format::{Entry, EntryKind, FrameHeader};
use thalweg_engine::log::{CommittedFrame, RestoreError, StateMachine};
use thalweg_engine::model::Sequence;

/// Keys that entries of the workload set.
pub(super) const KEYS: u64 = 200;

/// Hash over everything that happened, in order.
pub(super) fn fold(digest: u64, entry: &Entry, payload: &[u8]) -> u64 {
    let mut digest = digest;
    let checksum = payload.iter().fold(0, |sum: u64, byte| sum.rotate_left(7) ^ u64::from(*byte));
    let fields = [u64::from(entry.kind), entry.subject, entry.base, u64::from(entry.count), entry.owner];
    for word in fields.into_iter().chain([payload.len() as u64, checksum]) {
        digest = (digest ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
    digest
}

/// Whether the entry is one that the workload made; others are the log's own.
pub(super) fn is_ours(entry: &Entry) -> bool {
    let own = [EntryKind::Roll, EntryKind::SegmentRetired, EntryKind::Regrouped];
    entry.known_kind().is_none_or(|kind| !own.contains(&kind))
}

/// What one frame leaves behind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Model {
    /// Over all entries so far.
    pub(super) digest: u64,
    /// Last value set for each key.
    pub(super) values: BTreeMap<u64, u64>,
}

impl Model {
    pub(super) fn apply(&mut self, entry: &Entry, payload: &[u8]) {
        self.digest = fold(self.digest, entry, payload);
        if entry.known_kind() == Some(EntryKind::StoreDelta) {
            self.values.insert(entry.subject, entry.base);
        }
    }
}

/// How far the log has bound itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Promised {
    /// The highest frame acknowledged.
    pub(super) acknowledged: Sequence,
    /// The highest frame that something durable behind it knows to be acknowledged: damage to it, or to any
    /// before it, can be told from a torn tail.
    pub(super) vouched: Sequence,
    /// The newest frame that does more than end a segment or record what is durable.
    pub(super) newest: Option<FrameHeader>,
}

impl Promised {
    /// Of a log that was closed: it knows all that it was given to be durable.
    pub(super) fn closed(self) -> Self {
        let given = self.newest.map_or(Sequence(0), |frame| frame.sequence);
        Self { vouched: self.vouched.max(given), ..self }
    }
}

/// The state machine of the workload.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) model: Model,
    pub(super) last: Sequence,
    /// In any life.
    pub(super) promised: Rc<Cell<Promised>>,
    pub(super) recovered: u64,
    /// The newest frame.
    pub(super) newest: Option<FrameHeader>,
    /// Of a checkpoint: what it began with, and the key that comes next.
    pub(super) begun: Option<(u64, u64)>,
}

impl StateMachine for State {
    fn apply(&mut self, frame: &CommittedFrame<'_>) {
        assert!(self.last == Sequence(0) || frame.sequence() == self.last.next(), "frames come in order");
        self.last = frame.sequence();
        self.newest = Some(*frame.header());
        for entry in frame.entries().iter().filter(|entry| is_ours(entry)) {
            self.model.apply(entry, frame.payload(entry));
        }
        let mut promised = self.promised.get();
        if frame.entries().iter().any(|entry| entry.known_kind() != Some(EntryKind::Roll)) {
            promised.newest = Some(*frame.header());
        }
        if frame.is_recovering() {
            self.recovered += 1;
        } else {
            promised.acknowledged = frame.sequence();
            promised.vouched = promised.vouched.max(frame.header().durable_up_to);
        }
        self.promised.set(promised);
    }

    fn begin_checkpoint(&mut self) {
        self.begun = Some((self.model.digest, 0));
    }

    /// The digest as it was; then ten keys a slice, with the values that they have by then.
    fn next_slice(&mut self, out: &mut Vec<u8>) -> bool {
        let Some((digest, next)) = &mut self.begun else { panic!("a slice is asked for after a beginning") };
        if *next > KEYS {
            return false;
        }
        out.extend_from_slice(&digest.to_le_bytes());
        for (key, value) in self.model.values.range(*next..*next + 10) {
            out.extend_from_slice(&key.to_le_bytes());
            out.extend_from_slice(&value.to_le_bytes());
        }
        *next += 10;
        true
    }

    fn restore_slice(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        assert_eq!(self.last, Sequence(0), "slices come before frames");
        let words: Vec<u64> =
            bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect();
        self.model.digest = words[0];
        for pair in words[1..].chunks(2) {
            self.model.values.insert(pair[0], pair[1]);
        }
        Ok(())
    }
}
