//! The test driver.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::model::{BatchBuilder, BatchView, Offset, Record, Timestamp, partition_for_key};

use super::DriverError;
use super::memory::{MemoryState, MemoryTopic};
use crate::limits::{COMMIT_INTERVAL_DEFAULT, COMMIT_SIZE_TARGET_DEFAULT, DRIVER_ROUNDS_MAX};
use crate::state::StateView;
use crate::task::{Effects, Pipeline, Task, TaskCounters, TaskError};
use crate::topology::Topology;

/// How a topology is driven.
#[derive(Clone, Copy, Debug)]
pub struct DriverOptions {
    /// Partitions of every topic.
    pub partitions: u32,
    /// How long inputs wait for their commit.
    pub commit_interval: Duration,
    /// Bytes of effects at which a task commits earlier.
    pub commit_size_target: usize,
    /// What the virtual clock shows at the beginning.
    pub start: Timestamp,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            partitions: 1,
            commit_interval: COMMIT_INTERVAL_DEFAULT,
            commit_size_target: COMMIT_SIZE_TARGET_DEFAULT,
            start: Timestamp(0),
        }
    }
}

/// Runs a topology in memory, on a virtual clock.
///
/// Inputs are processed at once, and committed when the clock says so or [`TestDriver::commit`] is called. What
/// a commit writes to internal topics is processed and committed in the same call.
#[derive(Debug)]
pub struct TestDriver {
    topology: Topology,
    options: DriverOptions,
    topics: BTreeMap<String, MemoryTopic>,
    tasks: Vec<DrivenTask>,
    now: Timestamp,
    /// When the oldest effect began to wait for a commit.
    dirty_since: Option<Timestamp>,
}

struct DrivenTask {
    sub: usize,
    partition: u32,
    task: Task,
    state: Rc<MemoryState>,
    committed: Vec<Offset>,
}

impl std::fmt::Debug for DrivenTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DrivenTask").field("sub", &self.sub).field("partition", &self.partition).finish()
    }
}

impl TestDriver {
    /// Drives `topology` with one partition per topic and the default commit interval.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        Self::with_options(topology, DriverOptions::default())
    }

    /// Drives `topology` with `options`.
    ///
    /// # Panics
    /// If `options.partitions` is zero.
    #[must_use]
    pub fn with_options(topology: Topology, options: DriverOptions) -> Self {
        let mut topics = BTreeMap::new();
        for sub in topology.sub_topologies() {
            for topic in sub.sources.iter().chain(&sub.sinks) {
                topics.entry(topic.clone()).or_insert_with(|| MemoryTopic::new(options.partitions));
            }
        }
        let mut tasks = Vec::new();
        for (number, sub) in topology.sub_topologies().iter().enumerate() {
            for partition in 0..options.partitions {
                let state = Rc::new(MemoryState::new(sub.stores.len()));
                let committed = vec![Offset(0); sub.sources.len()];
                let task = make_task(&topology, number, partition, &options, &state, &committed);
                tasks.push(DrivenTask { sub: number, partition, task, state, committed });
            }
        }
        Self { topology, options, topics, tasks, now: options.start, dirty_since: None }
    }

    /// The topology driven.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// What the virtual clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Writes `record` to `topic`, to the partition of its key, and processes it.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn pipe(&mut self, topic: &str, record: &Record) -> Result<(), DriverError> {
        let mut builder = BatchBuilder::new();
        builder.push_record(record)?;
        let target = self.source(topic)?;
        let partition = record.key.as_ref().map_or(0, |key| partition_for_key(key, target.partitions()));
        target.append(partition, builder.into_bytes());
        self.process()
    }

    /// Writes `batch`, a native batch, to partition `partition` of `topic`, and processes it.
    ///
    /// # Errors
    /// [`DriverError`].
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn pipe_batch(&mut self, topic: &str, partition: u32, batch: &[u8]) -> Result<(), DriverError> {
        BatchView::parse(batch)?;
        self.source(topic)?.append(partition, batch.to_vec());
        self.process()
    }

    /// Writes a record of text at the clock's time; see [`TestDriver::pipe`].
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn pipe_text(&mut self, topic: &str, key: Option<&str>, value: &str) -> Result<(), DriverError> {
        let key = key.map(|key| key.as_bytes().to_vec());
        let value = Some(value.as_bytes().to_vec());
        self.pipe(topic, &Record { timestamp: self.now, key, value, headers: Vec::new() })
    }

    /// Moves the clock on, and commits if the interval has passed since the oldest input that waits.
    ///
    /// # Errors
    /// [`DriverError::Task`].
    pub fn advance(&mut self, duration: Duration) -> Result<(), DriverError> {
        self.now.0 += i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let interval = i64::try_from(self.options.commit_interval.as_millis()).unwrap_or(i64::MAX);
        match self.dirty_since {
            Some(since) if self.now.0 - since.0 >= interval => self.commit(),
            _ => Ok(()),
        }
    }

    /// Commits, and carries what internal topics get through to the end.
    ///
    /// # Errors
    /// [`DriverError::Task`].
    ///
    /// # Panics
    /// If records go round for ever, which validation excludes.
    pub fn commit(&mut self) -> Result<(), DriverError> {
        for _ in 0..DRIVER_ROUNDS_MAX {
            self.process()?;
            if !self.tasks.iter().any(|task| task.task.is_dirty()) {
                self.dirty_since = None;
                return Ok(());
            }
            for index in 0..self.tasks.len() {
                self.commit_task(index)?;
            }
        }
        panic!("a validated topology has no cycle");
    }

    /// The records of `topic` that were not read yet, partition by partition. None if the topology does not
    /// touch the topic.
    pub fn read(&mut self, topic: &str) -> Vec<Record> {
        self.topics.get_mut(topic).map(MemoryTopic::read).unwrap_or_default()
    }

    /// The committed contents of `store` in all partitions; empty if there is no such store.
    #[must_use]
    pub fn store(&self, store: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut contents = BTreeMap::new();
        for task in &self.tasks {
            let names = &self.topology.sub_topologies()[task.sub].stores;
            if let Some(place) = names.iter().position(|name| name == store) {
                contents.extend(task.state.store(place));
            }
        }
        contents
    }

    /// What all tasks have done since the beginning or the last restart.
    #[must_use]
    pub fn counters(&self) -> TaskCounters {
        let mut sum = TaskCounters::default();
        for task in &self.tasks {
            let counters = task.task.counters();
            sum.records_in += counters.records_in;
            sum.records_out += counters.records_out;
            sum.records_undecodable += counters.records_undecodable;
            sum.records_incomplete += counters.records_incomplete;
        }
        sum
    }

    /// Starts all tasks anew, as after a crash: what was not committed is forgotten and processed again.
    ///
    /// # Errors
    /// [`DriverError::Task`].
    pub fn restart(&mut self) -> Result<(), DriverError> {
        for driven in &mut self.tasks {
            let DrivenTask { sub, partition, state, committed, .. } = &*driven;
            driven.task = make_task(&self.topology, *sub, *partition, &self.options, state, committed);
        }
        self.dirty_since = None;
        self.process()
    }

    fn source(&mut self, topic: &str) -> Result<&mut MemoryTopic, DriverError> {
        let (sources, _) = self.topology.external_topics();
        if !sources.contains(&topic) {
            let known = sources.into_iter().map(str::to_owned).collect();
            return Err(DriverError::NotASource { topic: topic.to_owned(), known });
        }
        Ok(self.topics.get_mut(topic).expect("every source has a topic"))
    }

    /// Processes everything that is in the topics; commits only tasks that must.
    fn process(&mut self) -> Result<(), DriverError> {
        for index in 0..self.tasks.len() {
            let sub = self.tasks[index].sub;
            for input in 0..self.topology.sub_topologies()[sub].sources.len() {
                self.process_input(index, input)?;
            }
        }
        if self.tasks.iter().any(|task| task.task.is_dirty()) {
            self.dirty_since.get_or_insert(self.now);
        }
        Ok(())
    }

    fn process_input(&mut self, index: usize, input: usize) -> Result<(), DriverError> {
        loop {
            let driven = &mut self.tasks[index];
            let topic = &self.topics[&self.topology.sub_topologies()[driven.sub].sources[input]];
            let Some((base, batch)) = topic.batch(driven.partition, driven.task.position(input)) else {
                return Ok(());
            };
            let view = BatchView::parse(&batch).expect("tasks write native batches");
            let result = driven.task.process(input, base, &view);
            result.map_err(|source| driven.error(source))?;
            if driven.task.is_full() {
                self.commit_task(index)?;
            }
        }
    }

    fn commit_task(&mut self, index: usize) -> Result<(), DriverError> {
        let driven = &mut self.tasks[index];
        if !driven.task.is_dirty() {
            return Ok(());
        }
        let effects = driven.task.flush().map_err(|source| driven.error(source))?;
        let Effects { deltas, outputs } = effects;
        for (store, delta) in deltas {
            driven.state.apply(store, &delta);
        }
        for (input, position) in driven.committed.iter_mut().enumerate() {
            *position = driven.task.position(input);
        }
        let sinks = &self.topology.sub_topologies()[driven.sub].sinks;
        for (output, partition, batch) in outputs {
            let topic = self.topics.get_mut(&sinks[output]).expect("every sink has a topic");
            topic.append(partition, batch);
        }
        Ok(())
    }
}

impl DrivenTask {
    fn error(&self, source: TaskError) -> DriverError {
        DriverError::Task { sub: self.sub, partition: self.partition, source }
    }
}

fn make_task(
    topology: &Topology,
    sub: usize,
    partition: u32,
    options: &DriverOptions,
    state: &Rc<MemoryState>,
    committed: &[Offset],
) -> Task {
    let state = Rc::<MemoryState>::clone(state) as Rc<dyn StateView>;
    let partitions = |_: &str| options.partitions;
    let pipeline = Pipeline::new(topology, &topology.sub_topologies()[sub], partition, &partitions, state);
    Task::new(pipeline, committed.to_vec(), options.commit_size_target)
}
