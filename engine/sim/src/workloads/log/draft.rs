//! What is appended: batches, changes of keys, and entries that let go of something.

use std::rc::Rc;

use thalweg_engine::io::Runtime;
use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::model::{ShardId, StreamId};

use super::character::Payloads;
use super::forge::{begin_like_frames, forged};
use super::life::Driver;
use super::oracle::{span_of, stream_of};
use super::state::KEYS;

/// Other shards, from 1, that there are outboxes for.
const TARGETS: u64 = 2;

pub(super) type Draft = (Entry, Rc<[u8]>);

impl Driver {
    /// A partition in use.
    fn partition(&mut self) -> u64 {
        self.oracle.borrow().partitions + self.prng.below(self.mix.partitions)
    }

    /// One entry of any kind.
    pub(super) fn draft(&mut self) -> Draft {
        let mut entry = Entry { timestamp_max: self.runtime.wall_clock().0, ..Entry::default() };
        let mix = self.mix;
        let batches = mix.batches;
        let outbox_batches = batches + mix.outbox_batches;
        let deltas = outbox_batches + mix.deltas;
        match self.prng.below(deltas + mix.trims) {
            drawn if drawn < batches => {
                entry.kind = EntryKind::Batch.raw();
                entry.subject = self.partition();
                entry.count = self.prng.range(1..50) as u32;
                entry.owner = self.prng.next_u64();
                entry.epoch = self.prng.below(1 << 16) as u16;
                entry.sequence = self.prng.below(1 << 32) as u32;
            }
            drawn if drawn < outbox_batches => {
                entry.kind = EntryKind::OutboxBatch.raw();
                entry.subject = self.partition();
                entry.count = self.prng.range(1..50) as u32;
                entry.owner = self.prng.range(1..TARGETS + 1);
            }
            drawn if drawn < deltas => {
                entry.kind = EntryKind::StoreDelta.raw();
                entry.subject = self.prng.below(KEYS);
                entry.base = self.prng.next_u64();
            }
            _ => return (self.trim(), Rc::default()),
        }
        self.place(&mut entry);
        (entry, self.payload().into())
    }

    /// Gives an entry the next place in its stream, if it has one.
    fn place(&mut self, entry: &mut Entry) {
        if let Some(stream) = stream_of(entry) {
            let next = self.next.entry(stream).or_default();
            entry.base = *next;
            *next += span_of(entry);
        }
    }

    /// A batch whose payload holds forged frames, for a log that is idle.
    pub(super) fn forged_draft(&mut self) -> Option<Draft> {
        let newest = self.state.borrow().newest?;
        let payload = forged(&newest, &mut self.prng);
        let subject = self.partition();
        let mut entry = Entry { kind: EntryKind::Batch.raw(), subject, count: 1, ..Entry::default() };
        self.place(&mut entry);
        Some((entry, payload.into()))
    }

    fn payload(&mut self) -> Vec<u8> {
        if self.prng.below(16) == 0
            && let Some(copies) = self.oracle.borrow().forger.copies(&mut self.prng)
        {
            return copies;
        }
        let size = match self.prng.below(10) {
            _ if self.mix.payloads == Payloads::Small => self.prng.below(300),
            _ if self.mix.payloads == Payloads::Medium => self.prng.range(500..6_000),
            0..6 => self.prng.below(300),
            6..9 => self.prng.below(6_000),
            _ => self.prng.below(40_000),
        };
        let mut payload = vec![1; 1 + size as usize];
        self.prng.fill(&mut payload);
        if self.prng.below(8) == 0 {
            begin_like_frames(&mut payload, &mut self.prng);
        }
        payload
    }

    /// An entry that lets go of the front of a stream, or of all of it.
    fn trim(&mut self) -> Entry {
        match self.prng.below(8) {
            0 => self.deletion(),
            1 | 2 => {
                let target = self.prng.range(1..TARGETS + 1);
                let end = self.end_of(StreamId::outbox(ShardId(target as u16)));
                let base = self.trimmed_to(end);
                Entry { kind: EntryKind::OutboxTrim.raw(), subject: target, base, ..Entry::default() }
            }
            _ => {
                let partition = self.partition();
                let end = self.end_of(StreamId(partition));
                let base = self.trimmed_to(end);
                Entry { kind: EntryKind::LogStart.raw(), subject: partition, base, ..Entry::default() }
            }
        }
    }

    /// A new start for a stream that ends at `end`; now and then that is all of it.
    fn trimmed_to(&mut self, end: u64) -> u64 {
        if self.prng.below(4) == 0 { end } else { end - self.prng.below(end / 4 + 1) }
    }

    /// The oldest partition in use goes, and a new one comes.
    fn deletion(&mut self) -> Entry {
        let mut oracle = self.oracle.borrow_mut();
        let partition = oracle.partitions;
        oracle.partitions += 1;
        drop(oracle);
        self.next.remove(&StreamId(partition));
        Entry { kind: EntryKind::PartitionDeleted.raw(), subject: partition, ..Entry::default() }
    }

    /// Entries that let go of partitions whose deletion was lost.
    pub(super) fn leftover_deletions(&self) -> Vec<Entry> {
        let first = self.oracle.borrow().partitions;
        let is_gone = |stream: &&StreamId| stream.0 < first;
        let gone = self.next.keys().filter(is_gone);
        gone.map(|stream| Entry {
            kind: EntryKind::PartitionDeleted.raw(),
            subject: stream.0,
            ..Entry::default()
        })
        .collect()
    }

    /// Entries that let go of everything.
    pub(super) fn trims_of_everything(&self) -> Vec<Entry> {
        let partitions = (self.next.iter())
            .filter(|(stream, _)| stream.0 >> 63 == 0)
            .map(|(stream, end)| (EntryKind::LogStart, stream.0, *end));
        let outboxes = (1..=TARGETS).map(|target| {
            let stream = StreamId::outbox(ShardId(target as u16));
            (EntryKind::OutboxTrim, target, self.end_of(stream))
        });
        (partitions.chain(outboxes))
            .map(|(kind, subject, base)| Entry { kind: kind.raw(), subject, base, ..Entry::default() })
            .collect()
    }

    fn end_of(&self, stream: StreamId) -> u64 {
        self.next.get(&stream).copied().unwrap_or_default()
    }
}
