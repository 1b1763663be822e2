//! The one order: everything that changes the shard's state passes through here, synchronously, and is in the
//! log's open frame when it returns.

use super::inner::Inner;
use super::state::{NO_PRODUCER, ShardState};
use super::wake::Turn;
use crate::client::{
    AppendError, Appended, Commit, CommitError, DeleteGroupError, NameStoreError, SetLogStartError,
};
use crate::io::Runtime;
use crate::limits::{STORE_NAME_SIZE_MAX, STORES_MAX};
use crate::log::format::{Entry, EntryKind};
use crate::log::{AppendError as LogError, DraftEntry};
use crate::model::{
    BatchError, BatchView, Offset, PartitionId, ProducerStamp, Sequence, ShardId, StoreId, StreamId,
};
use crate::producer::{Refusal, Verdict, Window};

/// Why a submission did not go into a frame.
#[derive(Debug)]
pub(super) enum Refused<E> {
    /// The device does not keep up; try again when the log is ready.
    Busy,
    /// It was refused.
    Error(E),
}

impl<E> From<E> for Refused<E> {
    fn from(error: E) -> Self {
        Self::Error(error)
    }
}

/// Errors that a submission shares with the log.
pub(super) trait SubmitError: Sized {
    fn too_large(size: usize, limit: usize) -> Self;
    fn no_space() -> Self;
    fn closed() -> Self;

    fn from_log(error: LogError) -> Refused<Self> {
        Refused::Error(match error {
            LogError::Busy => return Refused::Busy,
            LogError::TooLarge { size, limit } => Self::too_large(size, limit),
            LogError::NoSpace => Self::no_space(),
            LogError::Closed => Self::closed(),
        })
    }
}

impl SubmitError for AppendError {
    fn too_large(size: usize, limit: usize) -> Self {
        Self::BatchTooLarge { size, limit }
    }
    fn no_space() -> Self {
        Self::NoSpace
    }
    fn closed() -> Self {
        Self::Closed
    }
}

impl SubmitError for CommitError {
    fn too_large(size: usize, limit: usize) -> Self {
        Self::TooLarge { size, limit }
    }
    fn no_space() -> Self {
        Self::NoSpace
    }
    fn closed() -> Self {
        Self::Closed
    }
}

macro_rules! small_submissions {
    ($($error:ty),*) => { $(impl SubmitError for $error {
        fn too_large(size: usize, limit: usize) -> Self {
            panic!("an entry of {size} bytes does not fit into a frame of {limit}");
        }
        fn no_space() -> Self {
            Self::NoSpace
        }
        fn closed() -> Self {
            Self::Closed
        }
    })* };
}
small_submissions!(NameStoreError, SetLogStartError, DeleteGroupError, crate::catalog::CatalogError);

/// The entry of a batch.
fn batch_entry(partition: PartitionId, base: Offset, view: &BatchView<'_>, stamped: bool) -> Entry {
    let stamp = view.producer().filter(|_| stamped);
    Entry {
        kind: EntryKind::Batch.raw(),
        subject: partition.0,
        base: base.0,
        count: view.count(),
        owner: stamp.map_or(NO_PRODUCER, |stamp| stamp.id.0),
        epoch: stamp.map_or(0, |stamp| stamp.epoch.0),
        sequence: stamp.map_or(0, |stamp| stamp.sequence.0),
        timestamp_max: view.max_timestamp().0,
        ..Entry::default()
    }
}

fn outbox_entry(partition: PartitionId, number: u64, target: ShardId, view: &BatchView<'_>) -> Entry {
    Entry {
        kind: EntryKind::OutboxBatch.raw(),
        subject: partition.0,
        base: number,
        count: view.count(),
        owner: u64::from(target.0),
        timestamp_max: view.max_timestamp().0,
        ..Entry::default()
    }
}

/// An entry without payload.
pub(super) fn plain(kind: EntryKind, subject: u64, base: u64, owner: u64) -> DraftEntry<'static> {
    let entry = Entry { kind: kind.raw(), subject, base, owner, ..Entry::default() };
    DraftEntry { entry, payload: &[] }
}

/// A frame that a submission went into, and what to say when it is committed.
pub(super) type Submitted<T> = (Sequence, T);

impl<R: Runtime> Inner<R> {
    /// Puts a submission into the log's order, behind those that wait because the log was busy.
    pub(super) async fn submit<T, E: SubmitError>(
        &self,
        mut attempt: impl FnMut(&Self) -> Result<T, Refused<E>>,
    ) -> Result<T, E> {
        if self.busy.is_empty() {
            match attempt(self) {
                Ok(done) => return Ok(done),
                Err(Refused::Error(error)) => return Err(error),
                Err(Refused::Busy) => {}
            }
        }
        self.submit_at(self.busy.enter(), attempt).await
    }

    /// As [`Inner::submit`], from a place in the queue that was taken before.
    pub(super) async fn submit_at<T, E: SubmitError>(
        &self,
        turn: Turn,
        mut attempt: impl FnMut(&Self) -> Result<T, Refused<E>>,
    ) -> Result<T, E> {
        self.runtime.mark("append-waits");
        turn.front().await;
        loop {
            match attempt(self) {
                Ok(done) => return Ok(done),
                Err(Refused::Error(error)) => return Err(error),
                // A closed log refuses the next attempt.
                Err(Refused::Busy) => drop(self.log.ready().await),
            }
        }
    }

    pub(super) fn append_drafts<E: SubmitError>(
        &self,
        drafts: &[DraftEntry<'_>],
    ) -> Result<Sequence, Refused<E>> {
        if self.closing.get() {
            return Err(Refused::Error(E::closed()));
        }
        let timed =
            [EntryKind::Batch, EntryKind::OffsetsCommitted, EntryKind::GroupRecord].map(EntryKind::raw);
        let tells = drafts.iter().any(|draft| timed.contains(&draft.entry.kind));
        if tells && self.is_clock_due() {
            return self.append_with_clock(drafts).map_err(E::from_log);
        }
        self.log.append(drafts).map_err(E::from_log)
    }

    /// Appends a batch, or recognises it.
    pub(super) fn submit_append(
        &self,
        id: PartitionId,
        view: &BatchView<'_>,
    ) -> Result<Submitted<Appended>, Refused<AppendError>> {
        let size = view.bytes().len();
        if size > self.batch_limit {
            return Err(Refused::Error(AppendError::BatchTooLarge { size, limit: self.batch_limit }));
        }
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let Some(partition) = state.partitions.get(&id).filter(|partition| !partition.deleted) else {
            return Err(Refused::Error(AppendError::UnknownPartition { partition: id }));
        };
        let stamp = view.producer();
        if let Some(stamp) = &stamp {
            let ahead = state.speculation.window(id, stamp.id);
            let window = ahead.map(|(window, _)| window).or_else(|| partition.producers.window(stamp.id));
            if let Verdict::Duplicate(base) = judge(window, stamp, view.count())? {
                // Answered when the first one's frame is committed, which the window's last frame implies.
                let sequence = ahead.map_or(Sequence(0), |(_, last)| *last);
                self.runtime.mark("duplicate-batch");
                return Ok((sequence, Appended { base, duplicate: true }));
            }
        }
        if partition.cleanup.compacts()
            && let Some(index) = keyless(view)
        {
            return Err(Refused::Error(AppendError::NoKey { index }));
        }
        let base = partition.next;
        let entry = batch_entry(id, base, view, true);
        let sequence = self.append_drafts(&[DraftEntry { entry, payload: view.bytes() }])?;
        state.decided_batch(sequence, id, (base, view.count()), stamp);
        Ok((sequence, Appended { base, duplicate: false }))
    }

    /// Raises a log start.
    pub(super) fn submit_log_start(
        &self,
        id: PartitionId,
        offset: Offset,
    ) -> Result<Submitted<()>, Refused<SetLogStartError>> {
        let mut state = self.state.borrow_mut();
        let Some(partition) = state.local(id) else {
            return Err(Refused::Error(SetLogStartError::UnknownPartition { partition: id }));
        };
        if offset > partition.end {
            return Err(Refused::Error(SetLogStartError::BehindEnd { offset, end: partition.end }));
        }
        if offset <= partition.start {
            return Ok((Sequence(0), ()));
        }
        let sequence = self.append_drafts(&[plain(EntryKind::LogStart, id.0, offset.0, 0)])?;
        Ok((sequence, ()))
    }

    /// Gives a name its number.
    pub(super) fn submit_name(&self, name: &str) -> Result<Submitted<StoreId>, Refused<NameStoreError>> {
        if name.is_empty() || name.len() > STORE_NAME_SIZE_MAX {
            let (size, limit) = (name.len(), STORE_NAME_SIZE_MAX);
            return Err(Refused::Error(NameStoreError::Size { size, limit }));
        }
        let mut state = self.state.borrow_mut();
        if let Some(number) = state.names.get(name) {
            return Ok((Sequence(0), *number));
        }
        if let Some((number, sequence)) = state.speculation.naming.get(name) {
            return Ok((*sequence, *number));
        }
        if state.names.len() + state.speculation.naming.len() >= STORES_MAX {
            return Err(Refused::Error(NameStoreError::TooMany { limit: STORES_MAX }));
        }
        let number = state.speculation.next_name.max(state.next_name);
        let mut draft = plain(EntryKind::StoreNamed, number.0, 0, 0);
        draft.payload = name.as_bytes();
        let sequence = self.append_drafts(&[draft])?;
        state.speculation.next_name = StoreId(number.0 + 1);
        state.speculation.naming.insert(name.to_owned(), (number, sequence));
        Ok((sequence, number))
    }

    /// Puts a stream task's step into one frame.
    pub(super) fn submit_commit(&self, commit: &Commit) -> Result<Submitted<()>, Refused<CommitError>> {
        if commit.is_empty() {
            return Ok((Sequence(0), ()));
        }
        let mut state = self.state.borrow_mut();
        let entries =
            commit.inputs.len() + commit.deltas.len() + commit.outputs.len() + commit.log_starts.len();
        let mut drafts = Vec::with_capacity(entries);
        for (partition, offset) in &commit.inputs {
            drafts.push(plain(EntryKind::InputPosition, partition.0, offset.0, commit.task.0));
        }
        for (partition, offset) in &commit.log_starts {
            let fits = state.local(*partition).is_some_and(|state| *offset <= state.end);
            if !fits {
                let (partition, offset) = (*partition, *offset);
                return Err(Refused::Error(CommitError::LogStart { partition, offset }));
            }
            drafts.push(plain(EntryKind::LogStart, partition.0, offset.0, 0));
        }
        for (store, delta) in &commit.deltas {
            drafts.push(delta_draft(&state, *store, delta)?);
        }
        let outputs = drafts.len();
        // Offsets are given while drafting, and taken back if the log refuses the frame.
        let drafted = self.draft_outputs(&mut state, commit, &mut drafts);
        let appended = drafted.and_then(|()| self.append_drafts(&drafts));
        take_back(&mut state, &drafts[outputs..]);
        let sequence = appended?;
        for draft in &drafts[outputs..] {
            let Entry { subject, base, count, owner, .. } = draft.entry;
            if draft.entry.kind == EntryKind::Batch.raw() {
                state.decided_batch(sequence, PartitionId(subject), (Offset(base), count), None);
            } else {
                state.decided_outbox(sequence, ShardId(owner as u16), base);
            }
        }
        Ok((sequence, ()))
    }

    fn draft_outputs<'a>(
        &self,
        state: &mut ShardState<R>,
        commit: &'a Commit,
        drafts: &mut Vec<DraftEntry<'a>>,
    ) -> Result<(), Refused<CommitError>> {
        for (id, payload) in &commit.outputs {
            let view = BatchView::parse_trusted(payload).map_err(CommitError::Batch)?;
            if state.catalog.is_compacted(*id)
                && let Some(index) = keyless(&view)
            {
                return Err(Refused::Error(CommitError::NoKey { partition: *id, index }));
            }
            if view.is_sparse() {
                return Err(Refused::Error(BatchError::Malformed { what: "offsets of its own" }.into()));
            }
            if payload.len() > self.batch_limit {
                let (size, limit) = (payload.len(), self.batch_limit);
                return Err(Refused::Error(CommitError::TooLarge { size, limit }));
            }
            let entry = match state.local(*id) {
                Some(partition) => {
                    let base = partition.next;
                    partition.next = Offset(base.0 + u64::from(view.count()));
                    batch_entry(*id, base, &view, false)
                }
                None => {
                    let place = state.catalog.placement(*id).filter(|place| *place != self.shard);
                    let Some(target) = place else {
                        return Err(Refused::Error(CommitError::UnknownPartition { partition: *id }));
                    };
                    let outbox = state.outboxes.entry(target).or_default();
                    outbox.next += 1;
                    outbox_entry(*id, outbox.next - 1, target, &view)
                }
            };
            drafts.push(DraftEntry { entry, payload });
        }
        Ok(())
    }

    /// Puts batches of another shard's outbox into one frame with the position behind them. Those for partitions
    /// that exist no more are dropped.
    pub(super) fn submit_inbox(
        &self,
        source: ShardId,
        position: u64,
        batches: &[super::OutboxBatch],
    ) -> Result<Submitted<()>, Refused<AppendError>> {
        let mut state = self.state.borrow_mut();
        let mut drafts = Vec::with_capacity(batches.len() + 1);
        drafts.push(plain(EntryKind::OutboxPosition, u64::from(source.0), position, 0));
        let mut refused = None;
        for batch in batches {
            let Some(partition) = state.local(batch.partition) else {
                self.runtime.mark("outbox-dropped");
                continue;
            };
            let view = match BatchView::parse_trusted(&batch.bytes) {
                Ok(view) => view,
                Err(error) => {
                    refused = Some(Refused::Error(AppendError::Batch(error)));
                    break;
                }
            };
            let base = partition.next;
            partition.next = Offset(base.0 + u64::from(view.count()));
            let entry = batch_entry(batch.partition, base, &view, false);
            drafts.push(DraftEntry { entry, payload: &batch.bytes });
        }
        let appended = refused.map_or_else(|| self.append_drafts(&drafts), Err);
        take_back(&mut state, &drafts[1..]);
        let sequence = appended?;
        state.inboxes.entry(source).or_default().next = position;
        for draft in &drafts[1..] {
            let Entry { subject, base, count, .. } = draft.entry;
            state.decided_batch(sequence, PartitionId(subject), (Offset(base), count), None);
        }
        Ok((sequence, ()))
    }

    /// Puts entries that nothing is decided ahead of into one frame.
    pub(super) fn submit_plain<E: SubmitError>(
        &self,
        drafts: &[DraftEntry<'_>],
    ) -> Result<Submitted<()>, Refused<E>> {
        Ok((self.append_drafts(drafts)?, ()))
    }
}

/// The first record without a key.
fn keyless(view: &BatchView<'_>) -> Option<u32> {
    view.iter().position(|record| record.key.is_none()).map(|index| index as u32)
}

/// Undoes the numbering of drafted outputs, last first.
fn take_back<R: Runtime>(state: &mut ShardState<R>, outputs: &[DraftEntry<'_>]) {
    for draft in outputs.iter().rev() {
        let Entry { kind, subject, base, owner, .. } = draft.entry;
        if kind == EntryKind::Batch.raw() {
            let partition = state.partitions.get_mut(&PartitionId(subject)).expect("it was drafted to");
            partition.next = Offset(base);
        } else {
            state.outboxes.get_mut(&ShardId(owner as u16)).expect("it was drafted to").next = base;
        }
    }
}

fn delta_draft<'a, R: Runtime>(
    state: &ShardState<R>,
    store: StoreId,
    delta: &'a [u8],
) -> Result<DraftEntry<'a>, Refused<CommitError>> {
    if !state.numbers.contains(&store) {
        return Err(Refused::Error(CommitError::UnknownStore { store }));
    }
    let view = BatchView::parse_trusted(delta).map_err(CommitError::Batch)?;
    let mut draft = plain(EntryKind::StoreDelta, store.0, 0, 0);
    draft.entry.count = view.count();
    draft.payload = delta;
    Ok(draft)
}

fn judge(
    window: Option<&Window>,
    stamp: &ProducerStamp,
    count: u32,
) -> Result<Verdict, Refused<AppendError>> {
    let producer = stamp.id;
    let error = match Window::judge(window, stamp, count) {
        Ok(verdict) => return Ok(verdict),
        Err(Refusal::Fenced(current)) => AppendError::Fenced { producer, current, found: stamp.epoch },
        Err(Refusal::OutOfOrder(expected)) => {
            AppendError::OutOfOrderSequence { producer, expected, found: stamp.sequence }
        }
        Err(Refusal::Unknown) => AppendError::UnknownProducer { producer, found: stamp.sequence },
    };
    Err(Refused::Error(error))
}

/// Checks everything of a batch that a client sent.
pub(super) fn parse(batch: &[u8]) -> Result<BatchView<'_>, BatchError> {
    let view = BatchView::parse(batch)?;
    if view.is_sparse() {
        return Err(BatchError::Malformed { what: "offsets of its own" });
    }
    let sequence = view.producer().map_or(0, |stamp| stamp.sequence.0);
    if sequence >= crate::model::RecordSequence::MODULUS {
        return Err(BatchError::Malformed { what: "a sequence number beyond its modulus" });
    }
    Ok(view)
}

/// The stream of the outbox for `target`.
pub(super) fn outbox_stream(target: ShardId) -> StreamId {
    StreamId::outbox(target)
}
