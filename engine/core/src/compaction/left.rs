//! What is left of batches: those that stay as they are, and those made of the records that stay.

use crate::log::DraftEntry;
use crate::log::format::{CHECKSUM_CRC32C, Entry, EntryKind};
use crate::model::{BatchBuilder, Offset, RecordRef};

use super::Rewritten;

/// Batches that take the place of others, in order.
#[derive(Debug, Default)]
pub(super) struct Left {
    batches: Vec<(Entry, Vec<u8>)>,
    size: usize,
    /// Records of native batches that are put together, if it has any: the offset of the first, and the one behind the last.
    open: BatchBuilder,
    from: Offset,
    to: Offset,
}

impl Left {
    /// Bytes of the batches.
    pub(super) fn size(&self) -> usize {
        self.size + if self.open.is_empty() { 0 } else { self.open.size() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.open.is_empty()
    }

    /// Batches, with the open one.
    pub(super) fn count(&self) -> usize {
        self.batches.len() + usize::from(!self.open.is_empty())
    }

    /// Adds a record of a native batch; batches of `size` bytes are closed.
    pub(super) fn push_record(
        &mut self,
        partition: u64,
        offset: Offset,
        record: &RecordRef<'_>,
        size: usize,
    ) {
        let added = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let is_far = || offset.0 - self.from.0 > u64::from(u32::MAX);
        if !self.open.is_empty() && (self.open.size() + added > size || is_far()) {
            self.close(partition);
        }
        for _ in 0..2 {
            if self.open.is_empty() {
                self.from = offset;
            }
            let delta = (offset.0 - self.from.0) as u32;
            if self.open.push_at(delta, record).is_ok() {
                self.to = Offset(offset.0 + 1);
                return;
            }
            self.close(partition);
        }
        unreachable!("a record is smaller than a batch");
    }

    /// Adds a batch as it is.
    pub(super) fn push_batch(&mut self, partition: u64, entry: Entry, bytes: &[u8]) {
        self.close(partition);
        self.size += bytes.len();
        self.batches.push((entry, bytes.to_vec()));
    }

    /// Adds what is left of a foreign batch, which reached up to `end`.
    pub(super) fn push_rewritten(&mut self, entry: Entry, rewritten: Rewritten) {
        let Rewritten { bytes, count, timestamp_max, checksum, checksum_from } = rewritten;
        let mut entry =
            Entry { count, timestamp_max, checksum: 0, checksum_from: 0, checksum_kind: 0, ..entry };
        if let Some(checksum) = checksum {
            (entry.checksum_kind, entry.checksum, entry.checksum_from) =
                (CHECKSUM_CRC32C, checksum, checksum_from);
        }
        self.close(entry.subject);
        self.size += bytes.len();
        self.batches.push((entry, bytes));
    }

    /// Closes the open batch.
    fn close(&mut self, partition: u64) {
        if self.open.is_empty() {
            return;
        }
        let mut entry = Entry {
            kind: EntryKind::CompactedBatch.raw(),
            subject: partition,
            base: self.from.0,
            owner: self.to.0,
            count: self.open.count(),
            ..Entry::default()
        };
        let bytes = self.open.finish().to_vec();
        let view = crate::model::BatchView::parse_trusted(&bytes).expect("it was just made");
        entry.timestamp_max = view.max_timestamp().0;
        self.size += bytes.len();
        self.batches.push((entry, bytes));
        self.open.clear();
    }

    /// All batches as they go into a frame; none is open on return.
    pub(super) fn drafts(&mut self, partition: u64) -> impl Iterator<Item = DraftEntry<'_>> {
        self.close(partition);
        self.batches.iter().map(|(entry, payload)| DraftEntry { entry: *entry, payload })
    }

    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.size = 0;
    }
}
