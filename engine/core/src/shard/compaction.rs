//! Compacting this shard's partitions, one after the other, behind everything else.

use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::inner::{Inner, Shard};
use super::submit::{Refused, Submitted};
use crate::catalog::Retention;
use crate::client::SetLogStartError;
use crate::compaction::{CompactionMark, CompactionState, Outcome, Plan, compact};
use crate::io::{Priority, Runtime};
use crate::log::{DraftEntry, NotReplaced, Part};
use crate::model::{Offset, PartitionId, StreamId};

/// What was tried last on a partition, and is not tried again in vain.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Tried {
    limit: Offset,
    gone_before: Offset,
    /// Up to where the pass looked, if something kept it from leaving a mark.
    seen: Offset,
}

impl<R: Runtime> Shard<R> {
    /// Runs the task that compacts, if a topic of this shard asks for it.
    pub(super) fn begin_compaction(&self) {
        let inner = &self.inner;
        if inner.is_compacting_asked() && !inner.compacts.replace(true) {
            let task = run(Rc::downgrade(inner), inner.runtime.clone(), inner.compaction_interval);
            inner.runtime.spawn(Priority::Background, task);
        }
    }
}

/// Compacts until no topic of the shard asks for it any more, or the shard closes.
async fn run<R: Runtime>(weak: Weak<Inner<R>>, runtime: R, interval: Duration) {
    let mut tried = BTreeMap::new();
    loop {
        runtime.sleep(interval).await;
        let Some(inner) = weak.upgrade() else { return };
        if inner.closing.get() || !inner.is_compacting_asked() {
            return inner.compacts.set(false);
        }
        inner.look_at_clock();
        let compacted: Vec<PartitionId> = {
            let state = inner.state.borrow();
            let compacted = state.partitions.iter().filter(|(_, state)| state.cleanup.compacts());
            compacted.map(|(id, _)| *id).collect()
        };
        tried.retain(|id, _| compacted.contains(id));
        for id in compacted {
            match inner.compact_if_due(id, tried.entry(id).or_default()).await {
                Ok(()) => {}
                Err(NotReplaced::Closed) => return,
                // There may be room for a smaller one.
                Err(NotReplaced::NoSpace | NotReplaced::TooLarge) => runtime.mark("compaction-no-room"),
            }
        }
    }
}

/// Bytes of `parts` between two offsets, about: those of a part that lies in it in part are told by its share of offsets.
fn bytes_between(parts: &[Part], from: Offset, to: Offset) -> u64 {
    let bytes = |part: &Part| {
        let (base, end) = (part.base.max(from).0, part.end.min(to).0);
        let span = u128::from((part.end.0 - part.base.0).max(1));
        (u128::from(part.bytes) * u128::from(end.saturating_sub(base)) / span) as u64
    };
    parts.iter().map(bytes).sum()
}

impl<R: Runtime> Inner<R> {
    fn is_compacting_asked(&self) -> bool {
        self.state.borrow().partitions.values().any(|partition| partition.cleanup.compacts())
    }

    async fn compact_if_due(&self, id: PartitionId, tried: &mut Tried) -> Result<(), NotReplaced> {
        let Some(plan) = self.compaction_plan(id, tried) else { return Ok(()) };
        let outcome = compact(&self.log, &plan).await?;
        self.count_compaction(&outcome);
        let attempt = Tried { limit: plan.limit, gone_before: plan.gone_before, seen: Offset(0) };
        if outcome.incomplete {
            self.runtime.mark("compaction-incomplete");
            *tried = Tried { seen: outcome.end, ..attempt };
            return Ok(());
        }
        self.leave_mark(id, &plan, &outcome).await?;
        *tried = attempt;
        Ok(())
    }

    /// What there is to do for a partition, if it is time.
    fn compaction_plan(&self, id: PartitionId, tried: &Tried) -> Option<Plan> {
        let now = self.clock.borrow().reading().log_ms;
        let state = self.state.borrow();
        let partition = state.partitions.get(&id).filter(|partition| !partition.deleted)?;
        let (cleanup, start) = (&partition.cleanup, partition.start);
        if !cleanup.compacts() {
            return None;
        }
        let parts = self.log.parts(StreamId::partition(id));
        let ended = parts.last()?.end;
        let clean = partition.compaction.clean;
        let old_enough = match cleanup.lag_ms {
            0 => ended,
            lag => {
                let lag = Retention { ms: Some(lag), bytes: None };
                partition.timeline.start_by(&lag, now).unwrap_or(start)
            }
        };
        let limit = ended.min(old_enough.max(clean));
        let gone_before = partition.compaction.gone_before(now, cleanup.tombstone_delay_ms).min(limit);
        let from = start.max(clean).max(tried.seen);
        let dirty = bytes_between(&parts, from, limit);
        let total = bytes_between(&parts, start, limit);
        let is_dirty =
            dirty > 0 && u128::from(dirty) * 100 >= u128::from(total) * u128::from(cleanup.dirty_percent);
        let is_due = is_dirty || gone_before > Offset(0);
        let is_new = (tried.limit, tried.gone_before) != (limit, gone_before);
        (is_due && is_new).then_some(Plan {
            partition: id,
            start,
            clean,
            limit,
            gone_before,
            memory: self.compaction_memory,
            foreign: self.foreign,
        })
    }

    fn count_compaction(&self, outcome: &Outcome) {
        if outcome.superseded > 0 {
            self.runtime.mark("compaction-superseded");
        }
        let mut counted = self.compacted.get();
        counted.passes += 1;
        counted.superseded += outcome.superseded;
        counted.tombstones += outcome.tombstones_gone;
        self.compacted.set(counted);
    }

    /// Says durably how far a partition has been compacted.
    async fn leave_mark(&self, id: PartitionId, plan: &Plan, outcome: &Outcome) -> Result<(), NotReplaced> {
        // Not before what the pass did was committed.
        self.look_at_clock();
        let at = self.clock.borrow().reading().log_ms;
        let mark = CompactionMark { end: outcome.end, at, tombstones: outcome.tombstones };
        let entry = CompactionState::mark_entry(id.0, &mark, plan.gone_before);
        let appended = self.submit(|this| this.submit_mark(&[DraftEntry { entry, payload: &[] }])).await;
        let committed = match appended {
            Ok((sequence, ())) => self.committed::<SetLogStartError>(sequence).await,
            Err(error) => Err(error),
        };
        committed.map_err(|error| match error {
            SetLogStartError::NoSpace => NotReplaced::NoSpace,
            _ => NotReplaced::Closed,
        })
    }

    fn submit_mark(&self, drafts: &[DraftEntry<'_>]) -> Result<Submitted<()>, Refused<SetLogStartError>> {
        if self.closing.get() {
            return Err(Refused::Error(SetLogStartError::Closed));
        }
        let appended = self.append_with_clock(drafts);
        let sequence = appended.map_err(<SetLogStartError as super::submit::SubmitError>::from_log)?;
        Ok((sequence, ()))
    }
}
