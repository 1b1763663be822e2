//! One pass over a partition.

use super::codec::{BatchCodec, ForeignBatches};
use super::keys::Keys;
use super::left::Left;
use crate::io::Runtime;
use crate::limits::{COMPACTION_BATCH_SIZE, COMPACTION_FRAME_BATCHES, READ_SIZE_MAX};
use crate::log::format::{Entry, EntryKind};
use crate::log::{DraftEntry, Log, Mover, NotReplaced, Part, PartRow, ReadBatch, ReadError};
use crate::model::{BatchView, Offset, PartitionId, StreamId};

/// What a pass is to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The partition.
    pub partition: PartitionId,
    /// Log start.
    pub start: Offset,
    /// Before it no key comes twice.
    pub clean: Offset,
    /// Records from here on are left alone; the end of a batch.
    pub limit: Offset,
    /// Tombstones before it go.
    pub gone_before: Offset,
    /// Bytes of memory for keys.
    pub memory: usize,
    /// Who looks into batches that are not native ones.
    pub foreign: ForeignBatches,
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// Up to where it looked.
    pub end: Offset,
    /// Something did not read, or could not be looked into or replaced: before `end` a key may come twice.
    pub incomplete: bool,
    /// Tombstones that stay before `end`.
    pub tombstones: u32,
    /// Records that went because a later one has their key.
    pub superseded: u64,
    /// Tombstones that went.
    pub tombstones_gone: u64,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Stays,
    Superseded,
    TombstoneStays,
    TombstoneGoes,
}

/// A record as it is judged.
struct Judged<'a> {
    offset: Offset,
    key: Option<&'a [u8]>,
    is_tombstone: bool,
}

struct Pass<'a, R: Runtime> {
    log: &'a Log<R>,
    plan: &'a Plan,
    keys: Keys,
    /// The last record, which stays so that a reader finds the partition's end.
    last: Option<Offset>,
    outcome: Outcome,
}

/// Compacts a partition as `plan` has it.
///
/// # Errors
/// [`NotReplaced::Closed`] or [`NotReplaced::NoSpace`]; what was replaced before stays replaced.
pub async fn compact<R: Runtime>(log: &Log<R>, plan: &Plan) -> Result<Outcome, NotReplaced> {
    let bounds = log.bounds(StreamId::partition(plan.partition)).unwrap_or_default();
    let last = bounds.end.0.checked_sub(1).map(Offset);
    let mut pass = Pass { log, plan, keys: Keys::default(), last, outcome: Outcome::default() };
    log.runtime().mark("compaction-begun");
    pass.learn_keys().await?;
    pass.replace_superseded().await?;
    log.runtime().mark("compaction-pass");
    Ok(pass.outcome)
}

/// `rows` in pieces that are read at once.
fn pieces(rows: &[PartRow]) -> impl Iterator<Item = &[PartRow]> {
    let mut size = 0;
    rows.chunk_by(move |before, next| {
        size += before.size();
        let fits = size + next.size() <= READ_SIZE_MAX;
        if !fits {
            size = 0;
        }
        fits
    })
}

/// Calls `visit` with the records of `batch`; `false` if nobody can look into it.
fn visit<R: Runtime>(
    codec: Option<&dyn BatchCodec>,
    batch: &ReadBatch<R>,
    mut visit: impl FnMut(&Judged<'_>),
) -> bool {
    if batch.encoding != 0 {
        let Some(codec) = codec else { return false };
        return codec.visit(batch.encoding, batch.base, &batch.bytes, &mut |record| {
            let (offset, key, is_tombstone) = (record.offset, record.key, record.is_tombstone);
            visit(&Judged { offset, key, is_tombstone });
        });
    }
    let Ok(view) = BatchView::parse_trusted(&batch.bytes) else { return false };
    let mut count = 0;
    for (offset, record) in view.numbered(batch.base) {
        visit(&Judged { offset, key: record.key, is_tombstone: record.value.is_none() });
        count += 1;
    }
    count == view.count()
}

impl<R: Runtime> Pass<'_, R> {
    fn stream(&self) -> StreamId {
        StreamId::partition(self.plan.partition)
    }

    fn codec(&self) -> Option<&'static dyn BatchCodec> {
        self.plan.foreign.0
    }

    /// A read failed: what it was to read stays as it is.
    fn leave(&mut self, error: &ReadError) -> Result<(), NotReplaced> {
        if *error == ReadError::Closed {
            return Err(NotReplaced::Closed);
        }
        self.log.runtime().mark("compaction-unread");
        self.outcome.incomplete = true;
        Ok(())
    }

    /// Reads what came since the pass before, as far as its keys fit into memory.
    async fn learn_keys(&mut self) -> Result<(), NotReplaced> {
        let Plan { start, clean, limit, memory, .. } = *self.plan;
        let mut cursor = start.max(clean);
        while cursor < limit && self.keys.size() < memory {
            let mover = self.log.mover(self.stream()).await?;
            let Some(part) = mover.part_behind(cursor).filter(|part| part.base < limit) else { break };
            let rows = match mover.rows(&part).await {
                Ok(rows) => rows,
                Err(error) => {
                    self.leave(&error)?;
                    cursor = part.end;
                    continue;
                }
            };
            let due: Vec<PartRow> =
                rows.into_iter().filter(|row| row.end() > cursor && row.end() <= limit).collect();
            if due.is_empty() {
                // The limit lies in a batch.
                break;
            }
            for piece in pieces(&due) {
                if self.keys.size() >= memory {
                    break;
                }
                match mover.read(&part, piece).await {
                    Ok(batches) => batches.iter().for_each(|batch| self.learn(batch)),
                    Err(error) => self.leave(&error)?,
                }
                cursor = piece.last().map_or(cursor, PartRow::end);
            }
        }
        if self.keys.size() >= memory {
            self.log.runtime().mark("compaction-keys-full");
        }
        self.outcome.end = cursor.min(limit);
        Ok(())
    }

    fn learn(&mut self, batch: &ReadBatch<R>) {
        let keys = &mut self.keys;
        let looked = visit(self.plan.foreign.0, batch, |record| {
            if let Some(key) = record.key {
                keys.learn(key, record.offset);
            }
        });
        self.outcome.incomplete |= !looked;
    }

    /// Goes over all parts up to where the keys are known.
    async fn replace_superseded(&mut self) -> Result<(), NotReplaced> {
        let mut cursor = self.plan.start;
        while cursor < self.outcome.end {
            let mover = self.log.mover(self.stream()).await?;
            let end = self.outcome.end;
            let Some(part) = mover.part_behind(cursor) else {
                // All of it was trimmed, or it lies where nothing is replaced yet.
                self.outcome.incomplete = true;
                break;
            };
            if part.base >= end {
                break;
            }
            cursor = part.end;
            let rows = match mover.rows(&part).await {
                Ok(rows) => rows,
                Err(error) => {
                    self.leave(&error)?;
                    continue;
                }
            };
            let within = rows.partition_point(|row| row.end() <= end);
            match self.is_worthwhile(&mover, &part, &rows[..within]).await {
                Ok(false) => {}
                Ok(true) => match self.replace(&mover, &part, &rows, within).await {
                    Err(NotReplaced::TooLarge) => self.outcome.incomplete = true,
                    replaced => replaced?,
                },
                Err(error) => self.leave(&error)?,
            }
        }
        Ok(())
    }

    fn fate(&self, record: &Judged<'_>) -> Fate {
        let Some(key) = record.key else { return Fate::Stays };
        if self.keys.supersedes(key, record.offset) {
            return Fate::Superseded;
        }
        if !record.is_tombstone {
            return Fate::Stays;
        }
        let goes = record.offset < self.plan.gone_before && Some(record.offset) != self.last;
        if goes { Fate::TombstoneGoes } else { Fate::TombstoneStays }
    }

    /// Whether a record of `rows` goes. All of them read then.
    async fn is_worthwhile(
        &mut self,
        mover: &Mover<R>,
        part: &Part,
        rows: &[PartRow],
    ) -> Result<bool, ReadError> {
        let live = rows.partition_point(|row| row.end() <= self.plan.start);
        let mut found = Outcome::default();
        for piece in pieces(&rows[live..]) {
            for batch in mover.read(part, piece).await? {
                let looked = visit(self.codec(), &batch, |record| match self.fate(record) {
                    Fate::Stays => {}
                    Fate::TombstoneStays => found.tombstones = found.tombstones.saturating_add(1),
                    Fate::Superseded => found.superseded += 1,
                    Fate::TombstoneGoes => found.tombstones_gone += 1,
                });
                found.incomplete |= !looked;
            }
        }
        let outcome = &mut self.outcome;
        outcome.incomplete |= found.incomplete;
        outcome.tombstones = outcome.tombstones.saturating_add(found.tombstones);
        outcome.superseded += found.superseded;
        outcome.tombstones_gone += found.tombstones_gone;
        if found.tombstones_gone > 0 {
            self.log.runtime().mark("compaction-tombstone-gone");
        }
        Ok(found.superseded + found.tombstones_gone > 0)
    }

    /// Replaces the first `within` of `rows`, all those of `part`, by what is left of them, in as many frames as it takes.
    async fn replace(
        &mut self,
        mover: &Mover<R>,
        part: &Part,
        rows: &[PartRow],
        within: usize,
    ) -> Result<(), NotReplaced> {
        let budget = mover.frame_size_target() / 2;
        let live = rows.partition_point(|row| row.end() <= self.plan.start);
        let mut left = Left::default();
        // What was replaced so far.
        let mut done = (part.base, 0);
        let mut next = live;
        for piece in pieces(&rows[live..within]) {
            let batches = match mover.read(part, piece).await {
                Ok(batches) => batches,
                // It read a moment ago.
                Err(error) => return self.leave(&error),
            };
            for (batch, row) in batches.iter().zip(piece) {
                let full = left.size() + row.size() > budget || left.count() >= COMPACTION_FRAME_BATCHES;
                if full && !left.is_empty() {
                    done = self.commit(mover, &mut left, rows, done, next).await?;
                }
                self.keep_rest_of(batch, row, budget, &mut left);
                next += 1;
            }
        }
        if next > done.1 {
            self.commit(mover, &mut left, rows, done, next.max(within)).await?;
        }
        Ok(())
    }

    /// Adds what stays of `batch` to `left`.
    fn keep_rest_of(&self, batch: &ReadBatch<R>, row: &PartRow, budget: usize, left: &mut Left) {
        let partition = self.plan.partition.0;
        let (mut stay, mut go) = (0u32, 0u32);
        let is_gone =
            |record: &Judged<'_>| matches!(self.fate(record), Fate::Superseded | Fate::TombstoneGoes);
        let looked = visit(self.codec(), batch, |record| if is_gone(record) { go += 1 } else { stay += 1 });
        let size = budget.min(COMPACTION_BATCH_SIZE);
        let is_native = batch.encoding == 0;
        if !looked || (go == 0 && (!is_native || batch.bytes.len() >= size / 2)) {
            return left.push_batch(partition, row.kept_entry(), &batch.bytes);
        }
        if stay == 0 {
            return;
        }
        if is_native {
            let view = BatchView::parse_trusted(&batch.bytes).expect("it was looked into");
            for (offset, record) in view.numbered(batch.base) {
                let (key, is_tombstone) = (record.key, record.value.is_none());
                if !is_gone(&Judged { offset, key, is_tombstone }) {
                    left.push_record(partition, offset, &record, size);
                }
            }
            return;
        }
        let mut gone = Vec::with_capacity(go as usize);
        visit(self.codec(), batch, |record| {
            if is_gone(record) {
                gone.push(record.offset);
            }
        });
        let keeps = |offset: Offset| gone.binary_search(&offset).is_err();
        let codec = self.codec().expect("it was looked into");
        match codec.rewrite(batch.encoding, batch.base, &batch.bytes, &keeps) {
            Some(rewritten) => left.push_rewritten(row.kept_entry(), rewritten),
            None => left.push_batch(partition, row.kept_entry(), &batch.bytes),
        }
    }

    /// Commits a frame that replaces the rows from `done` up to `next` by `left`; returns up to where all are replaced.
    async fn commit(
        &mut self,
        mover: &Mover<R>,
        left: &mut Left,
        rows: &[PartRow],
        (base, first): (Offset, usize),
        next: usize,
    ) -> Result<(Offset, usize), NotReplaced> {
        let end = rows[next - 1].end();
        let bytes_of = |rows: &[PartRow]| rows.iter().map(|row| row.size() as u64).sum::<u64>();
        let (replaced, rest) = (bytes_of(&rows[first..next]), &rows[next..]);
        let timestamp_max = rest.iter().map(PartRow::timestamp_max).max();
        let partition = self.plan.partition.0;
        let mut entry = Entry {
            kind: EntryKind::Compacted.raw(),
            subject: partition,
            base: base.0,
            owner: end.0,
            // Both are less than a segment.
            sequence: bytes_of(rest) as u32,
            timestamp_max: timestamp_max.unwrap_or_default(),
            ..Entry::default()
        };
        let count = left.count();
        let drafts: Vec<DraftEntry<'_>> = left.drafts(partition).collect();
        let size: u64 = drafts.iter().map(|draft| draft.payload.len() as u64).sum();
        entry.count = replaced.saturating_sub(size) as u32;
        let cut = DraftEntry { entry, payload: &[] };
        let all: Vec<DraftEntry<'_>> = std::iter::once(cut).chain(drafts).collect();
        if count == 0 {
            self.log.runtime().mark("compaction-nothing-left");
        }
        mover.replace(&all).await?;
        left.clear();
        Ok((end, next))
    }
}
