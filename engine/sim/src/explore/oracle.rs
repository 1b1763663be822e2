//! The durability rule.

use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::{CommittedFrame, RestoreError, StateMachine};
use thalweg_engine::model::Sequence;

use super::fingerprint::Fingerprint;

/// Each frame has a batch of both.
pub(super) const PARTITIONS: [u64; 2] = [1, 2];

/// One append.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Written {
    pub(super) sequence: Sequence,
    /// Its place among all appends, and the offset of both its records.
    pub(super) number: u64,
    /// Which of the contents that it may have.
    pub(super) content: u8,
}

impl Written {
    pub(super) fn entry(&self, partition: u64) -> Entry {
        Entry {
            kind: EntryKind::Batch.raw(),
            subject: partition,
            base: self.number,
            count: 1,
            ..Entry::default()
        }
    }

    /// The payload of `size` bytes, none of them zero and none like its neighbours.
    pub(super) fn payload(&self, partition: u64, size: usize) -> Vec<u8> {
        let seed = self.number * 47 + partition * 19 + u64::from(self.content) * 5;
        let mut bytes: Vec<u8> = (0..size as u64).map(|at| ((seed + at * 3) % 255) as u8 + 1).collect();
        bytes[0] = self.content.wrapping_add(1);
        bytes
    }
}

/// What was promised, over all lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    pub(super) life: u8,
    /// What the last start gave out. It stays.
    pub(super) served: Vec<Written>,
    /// What was appended since, in order. What is not acknowledged may be there or not, but nothing may be without what
    /// precedes it.
    pub(super) appended: Vec<Written>,
    /// How many of `appended` were acknowledged. They stay.
    pub(super) acknowledged: usize,
    /// The content that this life appends, once it has appended.
    pub(super) content: Option<u8>,
}

impl Oracle {
    /// What was appended is to be there, as far as it was acknowledged, and nothing else.
    pub(super) fn check(&self, found: &[Written]) -> Result<(), String> {
        let appended = || self.served.iter().chain(&self.appended);
        for (found, appended) in found.iter().zip(appended()) {
            if found != appended {
                return Err(format!("{found:?} is there instead of {appended:?}"));
            }
        }
        let (possible, promised) = (appended().count(), self.served.len() + self.acknowledged);
        if found.len() > possible {
            return Err(format!("{} frames are there, of {possible} appended", found.len()));
        }
        if found.len() < promised {
            return Err(format!(
                "{} frames are there, but {promised} were promised: {} had been given out at the last start and {} \
                 acknowledged since",
                found.len(),
                self.served.len(),
                self.acknowledged
            ));
        }
        Ok(())
    }

    /// A start has given out `found`.
    pub(super) fn opened(&mut self, found: Vec<Written>) -> Result<(), String> {
        self.check(&found)?;
        *self = Self { life: self.life + 1, served: found, ..Self::default() };
        Ok(())
    }

    /// The number of the next append.
    pub(super) fn next(&self) -> u64 {
        (self.served.len() + self.appended.len()) as u64
    }

    pub(super) fn add_to(&self, fingerprint: &mut Fingerprint) {
        let words =
            |written: &Written| [written.sequence.0, written.number << 8 | u64::from(written.content)];
        fingerprint.add_all(self.served.iter().flat_map(words));
        fingerprint.add_all(self.appended.iter().flat_map(words));
        fingerprint.add(self.acknowledged as u64);
        fingerprint.add(self.content.map_or(0, |content| u64::from(content) + 1));
        fingerprint.add(u64::from(self.life));
    }
}

/// The state of the log: the appends that it holds.
#[derive(Debug)]
pub(super) struct State {
    pub(super) found: Vec<Written>,
    /// The first frame that is not just what was appended.
    pub(super) wrong: Option<String>,
    payload_size: usize,
    /// Of a checkpoint under way: what it began with.
    begun: Option<Vec<Written>>,
}

impl State {
    pub(super) fn new(payload_size: usize) -> Self {
        Self { found: Vec::new(), wrong: None, payload_size, begun: None }
    }

    /// The append that a frame holds; `None` if it holds none.
    fn append_in(&self, frame: &CommittedFrame<'_>) -> Result<Option<Written>, String> {
        let is_batch = |entry: &&Entry| entry.known_kind() == Some(EntryKind::Batch);
        let batches: Vec<&Entry> = frame.entries().iter().filter(is_batch).collect();
        let Some(first) = batches.first() else { return Ok(None) };
        let content = frame.payload(first).first().map_or(0, |byte| byte.wrapping_sub(1));
        let written = Written { sequence: frame.sequence(), number: first.base, content };
        let half = || format!("frame {} does not hold just one append: {batches:?}", frame.sequence());
        if batches.len() != PARTITIONS.len() {
            return Err(half());
        }
        for (batch, partition) in batches.iter().zip(PARTITIONS) {
            let is_whole = (batch.subject, batch.base, batch.count) == (partition, written.number, 1);
            if !is_whole || frame.payload(batch) != written.payload(partition, self.payload_size) {
                return Err(half());
            }
        }
        Ok(Some(written))
    }
}

impl StateMachine for State {
    fn apply(&mut self, frame: &CommittedFrame<'_>) {
        match self.append_in(frame) {
            Ok(written) => self.found.extend(written),
            Err(wrong) => {
                self.wrong.get_or_insert(wrong);
            }
        }
    }

    fn begin_checkpoint(&mut self) {
        self.begun = Some(self.found.clone());
    }

    /// One slice with everything.
    fn next_slice(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(begun) = self.begun.take() else { return false };
        for written in begun {
            out.extend(written.sequence.0.to_le_bytes());
            out.extend((written.number << 8 | u64::from(written.content)).to_le_bytes());
        }
        true
    }

    fn restore_slice(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let (words, rest) = bytes.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let (pairs, odd) = words.as_chunks::<2>();
        if !rest.is_empty() || !odd.is_empty() {
            return Err(RestoreError::Contradiction { what: "a slice is cut off" });
        }
        self.found.extend(pairs.iter().map(|[sequence, rest]| Written {
            sequence: Sequence(*sequence),
            number: rest >> 8,
            content: *rest as u8,
        }));
        Ok(())
    }
}
