//! A task between reading and committing, without either.

use thalweg_engine::model::{BatchView, Offset, RecordCount};

use super::{Pipeline, TaskError};
use crate::limits::{COMMIT_SIZE_MAX, TASK_STEP_BYTES};

/// What a task has done since it began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TaskCounters {
    /// Records read.
    pub records_in: u64,
    /// Those of them that came from the topology's own topics.
    pub internal_in: u64,
    /// Records written to topics.
    pub records_out: u64,
    /// Those of them that went to the topology's own topics.
    pub internal_out: u64,
    /// Records skipped because they are not of the format that the topology says.
    pub records_undecodable: u64,
    /// Records skipped by aggregations because they have no key or no value.
    pub records_incomplete: u64,
    /// Records skipped because processing them fails, as their topology's options say.
    pub records_failed: u64,
}

impl TaskCounters {
    /// What two tasks have done together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            records_in: self.records_in + other.records_in,
            internal_in: self.internal_in + other.internal_in,
            records_out: self.records_out + other.records_out,
            internal_out: self.internal_out + other.internal_out,
            records_undecodable: self.records_undecodable + other.records_undecodable,
            records_incomplete: self.records_incomplete + other.records_incomplete,
            records_failed: self.records_failed + other.records_failed,
        }
    }
}

/// One record of a task's input: which of the sub-topology's topics, and where in its partition.
pub(crate) type Place = (usize, Offset);

/// Everything that one commit makes visible, except the inputs that it came from.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Store and native batch.
    pub(crate) deltas: Vec<(usize, Vec<u8>)>,
    /// Topic written, its partition, and native batch.
    pub(crate) outputs: Vec<(usize, u32, Vec<u8>)>,
}

impl Effects {
    fn size(&self) -> usize {
        let deltas = self.deltas.iter().map(|(_, batch)| batch.len());
        deltas.chain(self.outputs.iter().map(|(_, _, batch)| batch.len())).sum()
    }
}

/// Why [`Task::process`] returned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stopped {
    /// The batch has no more records.
    BatchEnd,
    /// Enough for one step; there is more.
    StepEnd,
    /// The next commit is as large as it should become; there may be more.
    CommitFull,
}

/// The processors of a task and how far it has read.
pub(crate) struct Task {
    pipeline: Pipeline,
    positions: Vec<Offset>,
    records_in: u64,
    internal_in: u64,
    /// Records read since the last flush, and the last of them.
    unflushed: u64,
    last: Option<Place>,
    /// At so many of them a commit should happen.
    unflushed_max: u64,
    /// A record of which it is known that processing it fails.
    skipped: Option<Place>,
    records_failed: u64,
    commit_size_target: usize,
    commit_size_max: usize,
}

impl Task {
    /// `positions`: next offset of each of the sub-topology's topics. `commit_size_target`: bytes of effects at
    /// which a commit should happen.
    pub(crate) fn new(pipeline: Pipeline, positions: Vec<Offset>, commit_size_target: usize) -> Self {
        Self {
            pipeline,
            positions,
            records_in: 0,
            internal_in: 0,
            unflushed: 0,
            last: None,
            unflushed_max: u64::MAX,
            skipped: None,
            records_failed: 0,
            commit_size_target,
            commit_size_max: COMMIT_SIZE_MAX,
        }
    }

    pub(crate) fn position(&self, input: usize) -> Offset {
        self.positions[input]
    }

    /// Commits at `records` records at the latest.
    pub(crate) fn commit_each(&mut self, records: u64) {
        self.unflushed_max = records;
    }

    /// Leaves out the record at `place`.
    pub(crate) fn skip(&mut self, place: Option<Place>) {
        self.skipped = place;
    }

    /// Records read since the last flush, and the last of all records read.
    pub(crate) fn unflushed(&self) -> (u64, Option<Place>) {
        (self.unflushed, self.last)
    }

    /// Whether anything was processed since the last flush.
    pub(crate) fn is_dirty(&self) -> bool {
        self.unflushed > 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pipeline.counters().pending.get() >= self.commit_size_target
            || self.unflushed >= self.unflushed_max
    }

    pub(crate) fn counters(&self) -> TaskCounters {
        let counters = self.pipeline.counters();
        TaskCounters {
            records_in: self.records_in,
            internal_in: self.internal_in,
            records_out: self.pipeline.records_out(|_| true),
            internal_out: self.pipeline.records_out(|is_internal| is_internal),
            records_undecodable: counters.undecodable.get(),
            records_incomplete: counters.incomplete.get(),
            records_failed: self.records_failed,
        }
    }

    /// Processes records of `batch`, whose first has offset `base`, from the task's position on.
    ///
    /// # Errors
    /// [`TaskError`], after which the task must be dropped.
    pub(crate) fn process(
        &mut self,
        input: usize,
        base: Offset,
        batch: &BatchView<'_>,
    ) -> Result<Stopped, TaskError> {
        let end = base + batch.span();
        let mut bytes = 0;
        let is_internal = u64::from(self.pipeline.is_internal(input));
        while self.positions[input] < end {
            if self.is_full() {
                return Ok(Stopped::CommitFull);
            }
            if bytes >= TASK_STEP_BYTES {
                return Ok(Stopped::StepEnd);
            }
            let index = batch.index_at(self.positions[input].0.saturating_sub(base.0));
            // A batch that was damaged behind its header ends early; its checksum was verified, so this is the
            // doing of whoever wrote it, and its records do not exist.
            let Some(record) = batch.record(index) else {
                self.positions[input] = end;
                break;
            };
            let delta = batch.delta(index);
            let place = (input, base + RecordCount(delta));
            if self.skipped == Some(place) {
                self.records_failed += 1;
            } else {
                for source in self.pipeline.sources(input) {
                    source.process(&record);
                }
            }
            self.last = Some(place);
            bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + 1;
            self.records_in += 1;
            self.internal_in += is_internal;
            self.unflushed += 1;
            self.positions[input] = base + RecordCount(delta + 1);
        }
        match self.pipeline.counters().failure.borrow_mut().take() {
            Some(error) => Err(error),
            None => Ok(Stopped::BatchEnd),
        }
    }

    /// Empties the task into one commit; [`Task::position`] of each input goes with it. The commit before is
    /// applied.
    ///
    /// # Errors
    /// [`TaskError`], after which the task must be dropped.
    pub(crate) fn flush(&mut self) -> Result<Effects, TaskError> {
        let effects = self.pipeline.flush()?;
        let size = effects.size();
        if size > self.commit_size_max {
            return Err(TaskError::CommitTooLarge { size, limit: self.commit_size_max });
        }
        self.unflushed = 0;
        Ok(effects)
    }
}
