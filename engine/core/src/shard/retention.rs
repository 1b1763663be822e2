//! Letting go of this shard's records when their time has come, and the clock that tells.

use std::rc::{Rc, Weak};

use super::inner::{Inner, Shard};
use super::submit::{Refused, Submitted, plain};
use super::wake::at_most;
use crate::client::{DeleteGroupError, SetLogStartError};
use crate::io::{Priority, Runtime};
use crate::limits::{CLOCK_INTERVAL, FRAME_LOG_STARTS_MAX, NO_SPACE_RETRY, RETENTION_INTERVAL};
use crate::log::format::EntryKind;
use crate::log::{AppendError as LogError, DraftEntry};
use crate::model::Sequence;
use crate::partition::PartitionState;

impl<R: Runtime> Shard<R> {
    /// Runs the task that lets go of what has had its time.
    pub(super) fn begin_retention(&self) {
        let inner = &self.inner;
        let task = retain(Rc::downgrade(inner), inner.runtime.clone());
        inner.runtime.spawn(Priority::Background, task);
    }
}

/// Lets go of records and of committed offsets until the shard closes.
async fn retain<R: Runtime>(weak: Weak<Inner<R>>, runtime: R) {
    loop {
        let Some(signal) = weak.upgrade().map(|inner| Rc::clone(&inner.state.borrow().retaining)) else {
            return;
        };
        at_most(signal.wait(), Some(runtime.sleep(RETENTION_INTERVAL))).await;
        let Some(inner) = weak.upgrade() else { return };
        if inner.closing.get() {
            return;
        }
        if !inner.is_time_kept() {
            continue;
        }
        inner.look_at_clock();
        match inner.let_go().await {
            Ok(()) => {}
            Err(SetLogStartError::Closed) => return,
            Err(_) => runtime.sleep(NO_SPACE_RETRY).await,
        }
    }
}

impl<R: Runtime> Inner<R> {
    /// Whether something of this shard has a time after which it goes.
    fn is_time_kept(&self) -> bool {
        let state = self.state.borrow();
        let keeps =
            |partition: &PartitionState| partition.retention.is_limited() || !partition.producers.is_empty();
        !state.groups.is_empty() || state.partitions.values().any(keeps)
    }

    async fn let_go(&self) -> Result<(), SetLogStartError> {
        self.let_go_of_producers();
        self.let_go_of_records().await?;
        self.let_go_of_offsets().await.map_err(|error| match error {
            DeleteGroupError::Closed => SetLogStartError::Closed,
            _ => SetLogStartError::NoSpace,
        })
    }

    /// Tells the clock if a producer has been silent for long enough to be forgotten for it. If there is no room for it, the
    /// next frame with records does.
    fn let_go_of_producers(&self) {
        let silence_ms = self.producer_silence_ms();
        let now_ms = self.clock.borrow().reading().log_ms;
        let oldest = self.state.borrow().oldest_producer_ms();
        if silence_ms > 0 && oldest.is_some_and(|oldest| oldest.saturating_add(silence_ms) <= now_ms) {
            self.tell_clock();
            self.runtime.mark("producers-forgotten");
        }
    }

    /// Silence after which a producer is forgotten; 0: never. Milliseconds.
    fn producer_silence_ms(&self) -> u64 {
        u64::try_from(self.producer_expiry.as_millis()).unwrap_or(u64::MAX)
    }

    /// Raises log starts, many in one frame, until none is due.
    async fn let_go_of_records(&self) -> Result<(), SetLogStartError> {
        loop {
            let (sequence, count) = self.submit(Self::submit_retention).await?;
            if count == 0 {
                return Ok(());
            }
            self.committed::<SetLogStartError>(sequence).await?;
            self.runtime.mark("retention-trimmed");
        }
    }

    /// Raises the log starts that are due, or as many of them as go into one frame; with their number.
    fn submit_retention(&self) -> Result<Submitted<usize>, Refused<SetLogStartError>> {
        let now = self.clock.borrow().reading().log_ms;
        let drafts: Vec<DraftEntry<'static>> = {
            let state = self.state.borrow();
            let due = state.partitions.iter().filter_map(|(id, partition)| {
                let start = partition.start_by_retention(now).filter(|start| *start > partition.start)?;
                Some(plain(EntryKind::LogStart, id.0, start.0, 0))
            });
            due.take(FRAME_LOG_STARTS_MAX).collect()
        };
        if drafts.is_empty() {
            return Ok((Sequence(0), 0));
        }
        let (sequence, ()) = self.submit_plain::<SetLogStartError>(&drafts)?;
        Ok((sequence, drafts.len()))
    }

    /// Looks at the clocks. Where the wall clock was stepped, a frame tells at once, so that the next start does not take the
    /// step for time that has passed; if there is no room for it, the next frame with records does.
    pub(super) fn look_at_clock(&self) {
        if self.look() {
            self.clock_told.set(None);
            self.tell_clock();
        }
    }

    /// Puts what the clock says into a frame, if there is room.
    fn tell_clock(&self) {
        if !self.closing.get() && self.log.append(&[self.clock_draft()]).is_ok() {
            self.clock_told.set(Some(self.runtime.now()));
        }
    }

    /// Whether the wall clock was stepped since the last look.
    fn look(&self) -> bool {
        let stepped = self.clock.borrow_mut().look(self.runtime.now(), self.runtime.wall_clock());
        if stepped {
            self.runtime.mark("clock-step");
        }
        stepped
    }

    /// Whether the next frame with records has to tell the clock.
    pub(super) fn is_clock_due(&self) -> bool {
        let now = self.runtime.now();
        self.clock_told.get().is_none_or(|told| now.since(told) >= CLOCK_INTERVAL)
    }

    /// Appends `drafts` behind what the clock says.
    pub(super) fn append_with_clock(&self, drafts: &[DraftEntry<'_>]) -> Result<Sequence, LogError> {
        let now = self.runtime.now();
        self.look();
        let mut all = Vec::with_capacity(drafts.len() + 1);
        all.push(self.clock_draft());
        all.extend_from_slice(drafts);
        let sequence = self.log.append(&all)?;
        self.clock_told.set(Some(now));
        Ok(sequence)
    }

    /// By when, by the log's clock, what is appended now was appended. Milliseconds.
    pub(super) fn appended_ms(&self) -> u64 {
        if self.is_clock_due() {
            self.look();
        }
        self.clock.borrow().reading().log_ms + CLOCK_INTERVAL.as_millis() as u64
    }

    fn clock_draft(&self) -> DraftEntry<'static> {
        let reading = self.clock.borrow().reading();
        let mut draft =
            plain(EntryKind::Clock, self.producer_silence_ms(), reading.log_ms, reading.believed.0 as u64);
        draft.entry.timestamp_max = reading.seen.0;
        draft
    }
}
