//! Reading ahead of a task.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use thalweg_engine::client::{FetchedBatch, ReadError, ShardClient};
use thalweg_engine::io::{Runtime, Signal};
use thalweg_engine::model::{Offset, PartitionId};

use super::signal::{First, Flag, race};
use crate::limits::{TASK_QUEUE_BYTES, TASK_READ_BYTES};

/// Batches of one partition that wait for the task.
pub(super) struct Input<R: Runtime> {
    queue: RefCell<VecDeque<FetchedBatch<R>>>,
    bytes: Cell<usize>,
    room: Signal,
    failure: RefCell<Option<ReadError>>,
    has_ended: Cell<bool>,
}

impl<R: Runtime> Input<R> {
    pub(super) fn new() -> Self {
        Self {
            queue: RefCell::new(VecDeque::new()),
            bytes: Cell::new(0),
            room: Signal::default(),
            failure: RefCell::new(None),
            has_ended: Cell::new(false),
        }
    }

    /// Calls `then` with the oldest batch, if there is one.
    pub(super) fn with_front<T>(&self, then: impl FnOnce(&FetchedBatch<R>) -> T) -> Option<T> {
        self.queue.borrow().front().map(then)
    }

    /// Lets go of the oldest batch.
    pub(super) fn pop(&self) {
        if let Some(batch) = self.queue.borrow_mut().pop_front() {
            self.bytes.set(self.bytes.get() - batch.len());
        }
        self.room.give();
    }

    pub(super) fn take_failure(&self) -> Option<ReadError> {
        self.failure.borrow_mut().take()
    }

    /// Whether [`read_ahead`] has returned.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }
}

/// Fills `input` from `from` on until `stop` is set or a read fails, and gives `wake` whenever something
/// changed. Waits for records without polling.
pub(super) async fn read_ahead<R: Runtime>(
    client: ShardClient<R>,
    partition: PartitionId,
    from: Offset,
    input: Rc<Input<R>>,
    wake: Rc<Signal>,
    stop: Rc<Flag>,
) {
    if let Err(error) = fill(&client, partition, from, &input, &wake, &stop).await {
        input.failure.replace(Some(error));
    }
    input.has_ended.set(true);
    wake.give();
}

async fn fill<R: Runtime>(
    client: &ShardClient<R>,
    partition: PartitionId,
    from: Offset,
    input: &Input<R>,
    wake: &Signal,
    stop: &Flag,
) -> Result<(), ReadError> {
    let mut position = from;
    while !stop.is_set() {
        if input.bytes.get() >= TASK_QUEUE_BYTES {
            race(input.room.wait(), stop.wait()).await;
            continue;
        }
        match client.read(partition, position, TASK_READ_BYTES).await {
            Ok(batches) if batches.is_empty() => {
                match race(client.wait_for_data(partition, position, None), stop.wait()).await {
                    First::One(end) => drop(end?),
                    First::Other(()) => return Ok(()),
                }
            }
            Ok(batches) => {
                for batch in batches {
                    position = batch.end();
                    input.bytes.set(input.bytes.get() + batch.len());
                    input.queue.borrow_mut().push_back(batch);
                }
                wake.give();
            }
            // Retention went past: what is gone cannot be counted.
            Err(ReadError::OutOfRange { start, .. }) if position < start => {
                client.runtime().mark("task-skipped-to-log-start");
                position = start;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
