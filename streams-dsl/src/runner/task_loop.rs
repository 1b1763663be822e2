//! One task: reads ahead, processes, commits, one commit on its way while it processes on.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use thalweg_engine::client::{Commit, CommitError, NameStoreError, ShardClient};
use thalweg_engine::io::{Monotonic, Priority, Runtime, Signal};
use thalweg_engine::model::{BatchView, Offset, StoreId};

use super::assign::Assignment;
use super::input::{Input, read_ahead};
use super::narrow::Narrow;
use super::signal::{Flag, race};
use super::store_view::StoreView;
use super::{RunnerOptions, TaskFailure, TaskProgress, TaskState};
use crate::limits::{COMMIT_SIZE_TARGET_MIN, NO_SPACE_RETRY_INTERVAL};
use crate::state::StateView;
use crate::task::{Effects, Pipeline, Place, Stopped, Task, TaskCounters, TaskError};
use crate::topology::Topology;

/// Everything that a task is made of.
pub(super) struct TaskLoop<R: Runtime> {
    pub(super) client: ShardClient<R>,
    pub(super) topology: Arc<Topology>,
    pub(super) assignment: Assignment,
    pub(super) options: RunnerOptions,
    /// Set by the runner: commit what was processed, and end.
    pub(super) stop: Rc<Flag>,
    /// Given when there is something to do.
    pub(super) wake: Rc<Signal>,
    pub(super) progress: Rc<RefCell<TaskProgress>>,
}

/// A commit on its way.
struct Flight {
    begun: Monotonic,
    positions: Vec<Offset>,
    /// Records read for it.
    records: u64,
    /// What the attempt has done when it is durable.
    counters: TaskCounters,
    result: Rc<RefCell<Option<Result<(), CommitError>>>>,
}

/// The state of one attempt: from committed positions on, with one size of commits.
struct Attempt<R: Runtime> {
    task_id: StoreId,
    store_ids: Vec<StoreId>,
    task: Task,
    /// What earlier attempts have done.
    before: TaskCounters,
    inputs: Vec<Rc<Input<R>>>,
    flight: Option<Flight>,
    /// When the oldest effect began to wait for a commit.
    dirty_since: Option<Monotonic>,
    /// Input whose turn it is.
    turn: usize,
}

impl<R: Runtime> TaskLoop<R> {
    /// Runs until told to stop or until something fails.
    pub(super) async fn run(self) {
        let mut commit_size_target = self.options.commit_size_target;
        let mut narrow = Narrow::new();
        let end = loop {
            match self.attempt(commit_size_target, &mut narrow).await {
                // Nothing of that commit was written. From the committed state on, in smaller ones.
                Err(TaskFailure::Commit(CommitError::TooLarge { .. }))
                    if commit_size_target > COMMIT_SIZE_TARGET_MIN =>
                {
                    self.client.runtime().mark("task-commit-too-large");
                    commit_size_target = (commit_size_target / 2).max(COMMIT_SIZE_TARGET_MIN);
                }
                Err(TaskFailure::Record { .. }) if self.options.skip_failed => {
                    self.client.runtime().mark("task-record-skipped");
                }
                Err(TaskFailure::Task(error)) if error.is_of_a_record() => {
                    self.client.runtime().mark("task-narrowed");
                }
                Err(failure) => break TaskState::Failed(failure),
                Ok(()) => break TaskState::Stopped,
            }
        };
        self.progress.borrow_mut().state = end;
    }

    async fn attempt(&self, commit_size_target: usize, narrow: &mut Narrow) -> Result<(), TaskFailure> {
        let mut attempt = self.begin(commit_size_target).await?;
        attempt.task.commit_each(narrow.records_max());
        attempt.task.skip(narrow.skipped());
        let stop_reading = Rc::new(Flag::default());
        for (assigned, input) in self.assignment.inputs.iter().zip(&attempt.inputs) {
            let from = attempt.task.position(assigned.source);
            let (input, wake, stop) = (Rc::clone(input), Rc::clone(&self.wake), Rc::clone(&stop_reading));
            let reader = read_ahead(self.client.clone(), assigned.id, from, input, wake, stop);
            self.client.runtime().spawn(Priority::Foreground, reader);
        }
        self.progress.borrow_mut().state = TaskState::Running;
        let result = self.drive(&mut attempt, narrow).await;
        stop_reading.set();
        // Whatever is still under way ends before anything else begins: a commit, since the next attempt goes on
        // behind it; reads, since a disk operation is never dropped.
        while attempt.is_flying() || !attempt.inputs.iter().all(|input| input.has_ended()) {
            self.wake.wait().await;
        }
        match result {
            Err(TaskFailure::Task(error)) if error.is_of_a_record() => {
                Err(self.narrow_down(&attempt, narrow, error))
            }
            result => result,
        }
    }

    /// What `error` is once it is known which record it comes of; until then itself.
    fn narrow_down(&self, attempt: &Attempt<R>, narrow: &mut Narrow, error: TaskError) -> TaskFailure {
        let (records, last) = attempt.task.unflushed();
        let Some(place) = narrow.failed(records, last) else { return TaskFailure::Task(error) };
        narrow.skip(place);
        let failure = self.record_failure(place, error);
        if self.options.skip_failed {
            self.progress.borrow_mut().last_skipped = Some(failure.clone());
        }
        failure
    }

    fn record_failure(&self, (source, offset): Place, error: TaskError) -> TaskFailure {
        let topic = self.topology.sub_topologies()[self.assignment.sub].sources[source].clone();
        TaskFailure::Record { topic, partition: self.assignment.partition, offset, source: error }
    }

    /// Finds stores and positions.
    async fn begin(&self, commit_size_target: usize) -> Result<Attempt<R>, TaskFailure> {
        let Assignment { sub, partition, name, stores, inputs, outputs } = &self.assignment;
        let task_id = self.name(name).await?;
        let mut store_ids = Vec::with_capacity(stores.len());
        for store in stores {
            store_ids.push(self.name(store).await?);
        }
        let sub = &self.topology.sub_topologies()[*sub];
        let mut positions = vec![Offset(0); sub.sources.len()];
        for (number, input) in inputs.iter().enumerate() {
            positions[input.source] = match self.client.input_position(task_id, input.id) {
                Some(position) => {
                    self.client.runtime().mark("task-resumed");
                    position
                }
                None => {
                    self.client
                        .bounds(input.id)
                        .await
                        .map_err(|error| self.read_failure(number, error))?
                        .start
                }
            };
        }
        let view = StoreView { client: self.client.clone(), stores: store_ids.clone() };
        let partitions = |topic: &str| {
            let place = sub.sinks.iter().position(|sink| sink == topic);
            outputs[place.expect("a sub-topology lists its sinks")].len() as u32
        };
        let state: Rc<dyn StateView> = Rc::new(view);
        let pipeline = Pipeline::new(&self.topology, sub, *partition, &partitions, state);
        let task = Task::new(pipeline, positions, commit_size_target);
        let inputs: Vec<_> = inputs.iter().map(|_| Rc::new(Input::new())).collect();
        let before = self.progress.borrow().counters;
        let flight = None;
        let attempt =
            Attempt { task_id, store_ids, task, before, inputs, flight, dirty_since: None, turn: 0 };
        self.report(&attempt, true);
        Ok(attempt)
    }

    /// Processes and commits until told to stop.
    async fn drive(&self, attempt: &mut Attempt<R>, narrow: &mut Narrow) -> Result<(), TaskFailure> {
        let runtime = self.client.runtime();
        loop {
            self.land(attempt, narrow)?;
            for number in 0..attempt.inputs.len() {
                if let Some(error) = attempt.inputs[number].take_failure() {
                    return Err(self.read_failure(number, error));
                }
            }
            let is_stopping = self.stop.is_set();
            let is_urgent = is_stopping || attempt.task.is_full();
            if attempt.task.is_dirty() && attempt.flight.is_none() && (is_urgent || self.is_due(attempt)) {
                self.take_off(attempt)?;
                continue;
            }
            if is_urgent {
                if attempt.flight.is_none() {
                    return Ok(());
                }
                self.wake.wait().await;
                continue;
            }
            if self.step(attempt)? {
                if runtime.should_yield() {
                    runtime.yield_now().await;
                }
                continue;
            }
            match attempt.dirty_since {
                Some(since) if attempt.flight.is_none() => {
                    let rest = self.options.commit_interval.saturating_sub(runtime.now().since(since));
                    race(self.wake.wait(), runtime.sleep(rest)).await;
                }
                _ => self.wake.wait().await,
            }
        }
    }

    fn is_due(&self, attempt: &Attempt<R>) -> bool {
        let Some(since) = attempt.dirty_since else { return false };
        // What comes out of a repartition topic was gathered for a commit once: it does not wait a second time.
        let was_gathered = self.assignment.inputs.iter().all(|input| input.is_trimmed);
        (was_gathered && attempt.has_read_all())
            || self.client.runtime().now().since(since) >= self.options.commit_interval
    }

    /// Processes some records of one input. Returns whether there were any.
    fn step(&self, attempt: &mut Attempt<R>) -> Result<bool, TaskFailure> {
        let count = attempt.inputs.len();
        for number in (0..count).map(|offset| (attempt.turn + offset) % count) {
            let input = Rc::clone(&attempt.inputs[number]);
            let task = &mut attempt.task;
            let Some(stopped) = input.with_front(|batch| self.process(task, number, batch)) else { continue };
            if stopped? == Stopped::BatchEnd {
                input.pop();
                attempt.turn = (number + 1) % count;
            }
            if attempt.task.is_dirty() && attempt.dirty_since.is_none() {
                attempt.dirty_since = Some(self.client.runtime().now());
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn process(
        &self,
        task: &mut Task,
        number: usize,
        batch: &thalweg_engine::client::FetchedBatch<R>,
    ) -> Result<Stopped, TaskFailure> {
        let input = &self.assignment.inputs[number];
        let failure = |source| TaskFailure::Batch {
            topic: input.topic.clone(),
            partition: self.assignment.partition,
            offset: batch.base(),
            source,
        };
        if batch.encoding() != 0 {
            return Err(failure(None));
        }
        // Verified when it was appended, and against its checksum when it came from the disk.
        let view = BatchView::parse_trusted(batch).map_err(|error| failure(Some(error)))?;
        Ok(task.process(input.source, batch.base(), &view)?)
    }

    /// Sends a commit on its way.
    fn take_off(&self, attempt: &mut Attempt<R>) -> Result<(), TaskFailure> {
        let (records, _) = attempt.task.unflushed();
        let effects = attempt.task.flush()?;
        let counters = attempt.task.counters();
        let commit = self.commit(attempt, effects);
        let runtime = self.client.runtime();
        let result = Rc::new(RefCell::new(None));
        let positions = commit.inputs.iter().map(|(_, position)| *position).collect();
        let (begun, flown) = (runtime.now(), Rc::clone(&result));
        attempt.flight = Some(Flight { begun, positions, records, counters, result: flown });
        attempt.dirty_since = None;
        let (client, stop, wake) = (self.client.clone(), Rc::clone(&self.stop), Rc::clone(&self.wake));
        let progress = Rc::clone(&self.progress);
        runtime.spawn(Priority::Foreground, async move {
            let is_full = |result: &_| *result == Err(CommitError::NoSpace);
            let ended =
                with_patience(&client, async || client.commit(&commit).await, is_full, &stop, &progress)
                    .await;
            result.replace(Some(ended));
            wake.give();
        });
        Ok(())
    }

    fn commit(&self, attempt: &Attempt<R>, effects: Effects) -> Commit {
        let Assignment { inputs, outputs, .. } = &self.assignment;
        let Effects { deltas, outputs: batches } = effects;
        let position = |input: &super::assign::AssignedInput| (input.id, attempt.task.position(input.source));
        Commit {
            task: attempt.task_id,
            inputs: inputs.iter().map(position).collect(),
            deltas: deltas.into_iter().map(|(store, batch)| (attempt.store_ids[store], batch)).collect(),
            outputs: batches
                .into_iter()
                .map(|(output, partition, batch)| (outputs[output][partition as usize], batch))
                .collect(),
            log_starts: inputs.iter().filter(|input| input.is_trimmed).map(position).collect(),
        }
    }

    /// Takes in the commit on its way, if it has ended.
    fn land(&self, attempt: &mut Attempt<R>, narrow: &mut Narrow) -> Result<(), TaskFailure> {
        if attempt.flight.is_none() || attempt.is_flying() {
            return Ok(());
        }
        let Some(flight) = attempt.flight.take() else { return Ok(()) };
        let result = flight.result.take().expect("a flight that has landed has a result");
        result?;
        narrow.committed(flight.records);
        attempt.task.commit_each(narrow.records_max());
        let took = self.client.runtime().now().since(flight.begun);
        {
            let mut progress = self.progress.borrow_mut();
            progress.commits += 1;
            progress.counters = attempt.before.plus(flight.counters);
            progress.commit_time_max = progress.commit_time_max.max(took);
            for (input, position) in progress.inputs.iter_mut().zip(flight.positions) {
                input.committed = position;
            }
        }
        self.report(attempt, false);
        Ok(())
    }

    /// Brings the progress up to date.
    fn report(&self, attempt: &Attempt<R>, is_beginning: bool) {
        let mut progress = self.progress.borrow_mut();
        for (assigned, input) in self.assignment.inputs.iter().zip(&mut progress.inputs) {
            input.processed = attempt.task.position(assigned.source);
            if is_beginning {
                input.committed = input.processed;
            }
        }
    }

    /// The number of a store or task, as soon as there is room to keep it.
    async fn name(&self, name: &str) -> Result<StoreId, NameStoreError> {
        let is_full = |result: &_| matches!(result, Err(NameStoreError::NoSpace));
        let attempt = async || self.client.name(name).await;
        with_patience(&self.client, attempt, is_full, &self.stop, &self.progress).await
    }

    fn read_failure(&self, number: usize, source: thalweg_engine::client::ReadError) -> TaskFailure {
        let topic = self.assignment.inputs[number].topic.clone();
        TaskFailure::Read { topic, partition: self.assignment.partition, source }
    }
}

impl<R: Runtime> Attempt<R> {
    /// Whether nothing that was read waits to be processed.
    fn has_read_all(&self) -> bool {
        self.inputs.iter().all(|input| input.with_front(|_| ()).is_none())
    }

    fn is_flying(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.result.borrow().is_none())
    }
}

/// Attempts something; while there is no space for it, attempts it again until the runner stops.
async fn with_patience<R: Runtime, T>(
    client: &ShardClient<R>,
    attempt: impl AsyncFn() -> T,
    is_full: impl Fn(&T) -> bool,
    stop: &Flag,
    progress: &RefCell<TaskProgress>,
) -> T {
    loop {
        let result = attempt().await;
        let lacks_space = is_full(&result);
        progress.borrow_mut().lacks_space = lacks_space;
        if !lacks_space || stop.is_set() {
            return result;
        }
        client.runtime().mark("task-no-space");
        let pause: Duration = NO_SPACE_RETRY_INTERVAL;
        race(client.runtime().sleep(pause), stop.wait()).await;
    }
}
