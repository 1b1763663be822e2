//! What processors share with the task that they run in.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use thalweg_engine::model::{BatchBuilder, BatchError, Timestamp};

use super::OutputTopic;
use crate::state::StateView;
use crate::task::TaskError;

/// What a task has done, and what of it a commit has not yet taken.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Bytes that the next commit will have, roughly and at most.
    pub(crate) pending: Cell<usize>,
    /// Records that were skipped because they were not of the format that the topology says.
    pub(crate) undecodable: Cell<u64>,
    /// Records that an aggregation skipped because they had no key or no value.
    pub(crate) incomplete: Cell<u64>,
    /// The first failure since the task began: it must not commit any more.
    pub(crate) failure: RefCell<Option<TaskError>>,
}

impl Counters {
    #[inline]
    pub(crate) fn add_pending(&self, bytes: usize) {
        self.pending.set(self.pending.get() + bytes);
    }

    pub(crate) fn fail(&self, error: TaskError) {
        self.failure.borrow_mut().get_or_insert(error);
    }
}

pub(crate) fn bump(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// What a node's factory needs to make its processor for one task.
pub(crate) struct BuildContext {
    /// Node whose processor is being made.
    pub(crate) node: usize,
    pub(crate) counters: Rc<Counters>,
    pub(crate) state: Rc<dyn StateView>,
    /// Names of the sub-topology's stores, in their order.
    pub(crate) stores: Vec<String>,
    /// Topics that the sub-topology writes.
    pub(crate) outputs: Vec<Rc<RefCell<OutputTopic>>>,
    /// State to empty at a commit, with the node that it belongs to.
    pub(crate) flushes: Vec<(usize, Rc<RefCell<dyn Flush>>)>,
}

impl BuildContext {
    /// # Panics
    /// If the sub-topology has no such store: a bug of the planner.
    pub(crate) fn store(&self, name: &str) -> usize {
        self.stores.iter().position(|store| store == name).expect("the planner lists every store")
    }

    /// # Panics
    /// If the sub-topology does not write that topic: a bug of the planner.
    pub(crate) fn output(&self, topic: &str) -> Rc<RefCell<OutputTopic>> {
        let found = self.outputs.iter().find(|output| output.borrow().name() == topic);
        Rc::clone(found.expect("the planner lists every topic written"))
    }

    pub(crate) fn flush_at_commit(&mut self, state: Rc<RefCell<dyn Flush>>) {
        self.flushes.push((self.node, state));
    }
}

/// State that is emptied into each commit.
pub(crate) trait Flush {
    /// Writes the changes since the last commit to `context` and hands them on. The previous commit is applied.
    fn flush(&mut self, context: &mut FlushContext<'_>) -> Result<(), TaskError>;
}

/// Where a flush reads state and writes changes.
pub(crate) struct FlushContext<'a> {
    pub(crate) state: &'a dyn StateView,
    pub(crate) deltas: &'a mut [StoreDelta],
}

/// Changes of one store in one commit.
#[derive(Debug, Default)]
pub(crate) struct StoreDelta {
    builder: BatchBuilder,
    full: Vec<Vec<u8>>,
}

impl StoreDelta {
    pub(crate) fn put(&mut self, timestamp: Timestamp, key: &[u8], value: &[u8]) -> Result<(), BatchError> {
        push(&mut self.builder, &mut self.full, timestamp, key, value)
    }

    /// All batches since the last call.
    pub(crate) fn take(&mut self) -> Vec<Vec<u8>> {
        if !self.builder.is_empty() {
            self.full.push(std::mem::take(&mut self.builder).into_bytes());
        }
        std::mem::take(&mut self.full)
    }
}

/// Adds to the batch being built; a full one goes to `full` first.
fn push(
    builder: &mut BatchBuilder,
    full: &mut Vec<Vec<u8>>,
    timestamp: Timestamp,
    key: &[u8],
    value: &[u8],
) -> Result<(), BatchError> {
    match builder.push(timestamp, Some(key), Some(value), &[]) {
        Err(BatchError::BatchTooLarge { .. } | BatchError::TooManyRecords { .. }) if !builder.is_empty() => {
            full.push(std::mem::take(builder).into_bytes());
            builder.push(timestamp, Some(key), Some(value), &[])
        }
        result => result,
    }
}
