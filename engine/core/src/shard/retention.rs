//! Letting go of this shard's records when their time has come, and the clock that tells.

use std::rc::{Rc, Weak};

use super::inner::{Inner, Shard};
use super::submit::{Refused, Submitted, plain};
use super::wake::at_most;
use crate::client::SetLogStartError;
use crate::io::{Priority, Runtime};
use crate::limits::{CLOCK_INTERVAL, FRAME_LOG_STARTS_MAX, NO_SPACE_RETRY, RETENTION_INTERVAL};
use crate::log::format::EntryKind;
use crate::log::{AppendError as LogError, DraftEntry};
use crate::model::Sequence;

impl<R: Runtime> Shard<R> {
    /// Runs the task that lets go of records, if a topic of this shard asks for it.
    pub(super) fn begin_retention(&self) {
        let inner = &self.inner;
        if inner.is_retention_limited() && !inner.retains.replace(true) {
            let task = retain(Rc::downgrade(inner), inner.runtime.clone());
            inner.runtime.spawn(Priority::Background, task);
        }
    }
}

/// Lets go of records until no topic of the shard asks for it any more, or the shard closes.
async fn retain<R: Runtime>(weak: Weak<Inner<R>>, runtime: R) {
    loop {
        let Some(signal) = weak.upgrade().map(|inner| Rc::clone(&inner.state.borrow().retaining)) else {
            return;
        };
        at_most(signal.wait(), Some(runtime.sleep(RETENTION_INTERVAL))).await;
        let Some(inner) = weak.upgrade() else { return };
        if inner.closing.get() || !inner.is_retention_limited() {
            return inner.retains.set(false);
        }
        inner.look_at_clock();
        match inner.let_go_of_records().await {
            Ok(()) => {}
            Err(SetLogStartError::Closed) => return,
            Err(_) => runtime.sleep(NO_SPACE_RETRY).await,
        }
    }
}

impl<R: Runtime> Inner<R> {
    fn is_retention_limited(&self) -> bool {
        self.state.borrow().partitions.values().any(|partition| partition.retention.is_limited())
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
    fn look_at_clock(&self) {
        if !self.look() {
            return;
        }
        self.clock_told.set(None);
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

    fn clock_draft(&self) -> DraftEntry<'static> {
        let reading = self.clock.borrow().reading();
        let mut draft = plain(EntryKind::Clock, 0, reading.log_ms, reading.believed.0 as u64);
        draft.entry.timestamp_max = reading.seen.0;
        draft
    }
}
