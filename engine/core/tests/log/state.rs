//! A state machine that is easy to compare.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::{CommittedFrame, RestoreError, StateMachine};
use thalweg_engine::model::Sequence;

/// Keys that entries of the test set.
pub(crate) const KEYS: u64 = 200;

/// Hash over everything that happened, in order.
pub(crate) fn fold(digest: u64, entry: &Entry, payload: &[u8]) -> u64 {
    let mut digest = digest;
    let checksum = u64::from(crc32fast::hash(payload));
    let fields = [u64::from(entry.kind), entry.subject, entry.base, u64::from(entry.count), entry.owner];
    for word in fields.into_iter().chain([payload.len() as u64, checksum]) {
        digest = (digest ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
    digest
}

/// Whether the entry is one that the test made; others are the log's own.
pub(crate) fn is_ours(entry: &Entry) -> bool {
    !matches!(entry.known_kind(), Some(EntryKind::Roll | EntryKind::SegmentRetired))
}

/// What one frame leaves behind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Model {
    /// Over all entries so far.
    pub(crate) digest: u64,
    /// Last value set for each key.
    pub(crate) values: BTreeMap<u64, u64>,
}

impl Model {
    pub(crate) fn apply(&mut self, entry: &Entry, payload: &[u8]) {
        self.digest = fold(self.digest, entry, payload);
        if entry.known_kind() == Some(EntryKind::StoreDelta) {
            self.values.insert(entry.subject, entry.base);
        }
    }
}

/// The state machine of the test.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) model: Model,
    pub(crate) last: Sequence,
    /// Highest frame applied while the log was open.
    pub(crate) acknowledged: Rc<Cell<Sequence>>,
    pub(crate) recovered: u64,
    /// Of a checkpoint: what it began with, and the key that comes next.
    pub(crate) begun: Option<(u64, u64)>,
}

impl StateMachine for State {
    fn apply(&mut self, frame: &CommittedFrame<'_>) {
        assert!(self.last == Sequence(0) || frame.sequence() == self.last.next(), "frames come in order");
        self.last = frame.sequence();
        for entry in frame.entries().iter().filter(|entry| is_ours(entry)) {
            self.model.apply(entry, frame.payload(entry));
        }
        if frame.is_recovering() {
            self.recovered += 1;
        } else {
            self.acknowledged.set(frame.sequence());
        }
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
            bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        self.model.digest = words[0];
        for pair in words[1..].chunks(2) {
            self.model.values.insert(pair[0], pair[1]);
        }
        Ok(())
    }
}
