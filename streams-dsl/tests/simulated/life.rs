//! One life of the process: open, load lines, count words, check, close.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use thalweg_engine::catalog::{CatalogError, Topic, TopicSettings};
use thalweg_engine::client::{AppendError, Appended, CommitError, NameStoreError, ReadError, ShardClient};
use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::model::{
    BatchBuilder, BatchView, Offset, PartitionId, ProducerEpoch, ProducerStamp, RecordSequence, ShardId,
    Timestamp, TopicName,
};
use thalweg_engine::shard::ShardOptions;
use thalweg_sim::SimRuntime;
use thalweg_sim::harness::{Life, ShardOpening};
use thalweg_streams::runner::{StartError, TaskFailure};
use thalweg_streams::serdes::Bytes;
use thalweg_streams::{RunnerOptions, StreamsBuilder, StreamsRunner, Topology, words};

use crate::oracle::{Oracle, PARTITIONS, line};

/// Lines that may be appended and not yet counted.
const AHEAD_MAX: i64 = 2_000;

/// The engine is closed or could not be opened: this life goes no further.
#[derive(Debug)]
struct Over;

/// What the shards of one process share.
pub(crate) struct Process {
    shards: u16,
    life: Life,
    opening: ShardOpening,
    oracle: Rc<RefCell<Oracle>>,
    driven: Cell<u64>,
    /// In the last life: everything was counted.
    is_counted: Cell<bool>,
    /// Shards whose main task still drives.
    driving: Cell<u16>,
    /// Loaders and readers that still run.
    helpers: Cell<usize>,
}

impl Process {
    pub(crate) fn new(shards: u16, life: Life, options: ShardOptions, oracle: Rc<RefCell<Oracle>>) -> Self {
        Self {
            shards,
            life,
            opening: ShardOpening::new(shards, options),
            oracle,
            driven: Cell::new(0),
            is_counted: Cell::new(false),
            driving: Cell::new(shards),
            helpers: Cell::new(0),
        }
    }

    fn is_over(&self) -> bool {
        let is_done =
            if self.life.last { self.is_counted.get() } else { self.driven.get() >= self.life.operations };
        is_done || self.driving.get() == 0
    }
}

#[derive(Clone)]
struct Driver {
    client: ShardClient<SimRuntime>,
    process: Rc<Process>,
}

impl Driver {
    fn below(&self, bound: u64) -> u64 {
        self.client.runtime().random() % bound
    }

    async fn pause(&self, microseconds: u64) {
        self.client.runtime().sleep(Duration::from_micros(microseconds)).await;
    }

    async fn topic(&self, text: &str) -> Topic {
        let name = TopicName::new(text).unwrap();
        loop {
            if let Some(topic) = self.client.topic(&name) {
                return topic;
            }
            self.pause(100).await;
        }
    }

    fn spawn(&self, task: impl Future<Output = Result<(), Over>> + 'static) {
        let process = Rc::clone(&self.process);
        process.helpers.set(process.helpers.get() + 1);
        self.client.runtime().spawn(Priority::Foreground, async move {
            let _over = task.await;
            process.helpers.set(process.helpers.get() - 1);
        });
    }
}

/// The main task of one shard.
pub(crate) async fn live(runtime: SimRuntime, process: Rc<Process>) {
    let Some(shard) = process.opening.open(&runtime, process.life).await else { return };
    let driver = Driver { client: ShardClient::new(shard.clone()), process };
    let result = drive(&driver).await;
    let process = &driver.process;
    assert!(!process.life.last || result.is_ok(), "nothing fails, and yet the last life ends early");
    process.driving.set(process.driving.get() - 1);
    let is_abrupt = !process.life.last && driver.below(2) == 0;
    while !is_abrupt && (process.driving.get() > 0 || process.helpers.get() > 0) {
        driver.pause(500).await;
    }
    shard.close().await;
}

fn topology() -> Arc<Topology> {
    let builder = StreamsBuilder::new();
    let words = builder.stream::<Bytes, Bytes>("lines").flat_map_values(words());
    words.group_by::<Bytes>(|_, word| word).count("counts").to_stream().to("word-counts");
    Arc::new(builder.build("wc").unwrap())
}

async fn drive(driver: &Driver) -> Result<(), Over> {
    let process = &driver.process;
    if driver.client.shard() == ShardId(0) {
        make_topic(driver, "lines", PARTITIONS as u32).await?;
        make_topic(driver, "word-counts", 2).await?;
    }
    let (lines, counts) = (driver.topic("lines").await, driver.topic("word-counts").await);
    let options = RunnerOptions {
        commit_interval: Duration::from_micros(driver.below(20_000)),
        commit_size_target: 4096 << driver.below(7),
        repartition_partitions: Some(2),
        ..RunnerOptions::default()
    };
    let runner = match StreamsRunner::start(&driver.client, &topology(), options).await {
        Ok(runner) => runner,
        Err(
            StartError::Catalog { source: CatalogError::Closed, .. }
            | StartError::Name { source: NameStoreError::Closed, .. }
            | StartError::Commit { source: CommitError::Closed, .. },
        ) => return Err(Over),
        Err(error) => panic!("the topology was not started: {error}"),
    };
    for (number, partition) in lines.partitions.iter().enumerate() {
        // From another shard than the task's, if there is one.
        if (partition.shard.0 + 1) % process.shards == driver.client.shard().0 && !process.life.last {
            driver.spawn(load(driver.clone(), number, partition.id));
        }
    }
    if driver.client.shard() == ShardId(0) {
        watch(driver, &lines, &counts, &runner).await?;
    }
    while !process.is_over() && process.driving.get() == process.shards {
        check_failure(process, &runner)?;
        driver.pause(500).await;
    }
    if process.life.last || driver.below(2) == 0 {
        stop(driver, &runner).await?;
        if process.life.last && driver.client.shard() == ShardId(0) {
            let ends = ends(driver, &lines).await?;
            read_counts(driver, &counts).await?;
            let oracle = &mut *process.oracle.borrow_mut();
            oracle.expected.advance(ends);
            assert_eq!(oracle.latest, oracle.expected.counts);
        }
    }
    Ok(())
}

async fn stop(driver: &Driver, runner: &StreamsRunner) -> Result<(), Over> {
    // A stopped task waits for nobody: not for the tasks that feed it, and not for those that it feeds.
    match runner.stop().await {
        Ok(()) => driver.client.runtime().count("streams.stopped"),
        Err(_) => check_failure(&driver.process, runner)?,
    }
    Ok(())
}

/// Shard 0 reads what the topology writes while it writes it; in the last life until everything is there.
async fn watch(driver: &Driver, lines: &Topic, counts: &Topic, runner: &StreamsRunner) -> Result<(), Over> {
    loop {
        check_failure(&driver.process, runner)?;
        read_counts(driver, counts).await?;
        if driver.process.life.last {
            let ends = ends(driver, lines).await?;
            let oracle = &mut *driver.process.oracle.borrow_mut();
            oracle.expected.advance(ends);
            if oracle.seen >= oracle.expected.total {
                driver.process.is_counted.set(true);
                return Ok(());
            }
        } else if driver.process.is_over() {
            return Ok(());
        }
        driver.pause(1_000).await;
    }
}

/// Faults end tasks; nothing else does.
fn check_failure(process: &Process, runner: &StreamsRunner) -> Result<(), Over> {
    match runner.failure() {
        None => Ok(()),
        Some(
            TaskFailure::Commit(CommitError::Closed)
            | TaskFailure::Name(NameStoreError::Closed)
            | TaskFailure::Read { source: ReadError::Closed | ReadError::Disk { .. }, .. },
        ) if !process.life.last => Err(Over),
        Some(failure) => panic!("a task ended: {failure:?}"),
    }
}

async fn make_topic(driver: &Driver, text: &str, partitions: u32) -> Result<(), Over> {
    let name = TopicName::new(text).unwrap();
    if driver.client.topic(&name).is_some() {
        return Ok(());
    }
    let made = driver.client.create_topic(&name, partitions, TopicSettings::default()).await;
    made.map(drop).map_err(|_| Over)
}

async fn ends(driver: &Driver, topic: &Topic) -> Result<[u64; PARTITIONS], Over> {
    let mut ends = [0; PARTITIONS];
    for (end, partition) in ends.iter_mut().zip(&topic.partitions) {
        *end = driver.client.bounds(partition.id).await.map_err(|_| Over)?.end.0;
    }
    Ok(ends)
}

/// An idempotent producer whose sequence is its position in the text.
async fn load(driver: Driver, number: usize, partition: PartitionId) -> Result<(), Over> {
    let known = driver.process.oracle.borrow().producers[number];
    let producer = match known {
        Some(producer) => producer,
        None => driver.client.producer_id().await.map_err(|_| Over)?,
    };
    driver.process.oracle.borrow_mut().producers[number] = Some(producer);
    let position = driver.client.producer_position(partition, producer).await.map_err(|_| Over)?;
    let mut at = position.map_or(0, |position| u64::from(position.next.0));
    assert!(at >= driver.process.oracle.borrow().appended[number], "acknowledged lines are lost");
    while !driver.process.is_over() {
        if at as i64 > driver.process.oracle.borrow().seen + AHEAD_MAX {
            driver.pause(300).await;
            continue;
        }
        let mut builder = BatchBuilder::new();
        let sequence = RecordSequence(at as u32);
        builder.set_producer(Some(ProducerStamp { id: producer, epoch: ProducerEpoch(0), sequence }));
        let count = 1 + driver.below(40);
        for number_in_text in at..at + count {
            let text = line(number, number_in_text);
            builder.push(Timestamp(number_in_text as i64), None, Some(text.as_bytes()), &[]).unwrap();
        }
        match driver.client.append(partition, &builder.into_bytes()).await {
            Ok(Appended { base, duplicate }) => {
                assert!(base == Offset(at) && !duplicate, "line {at} is record {base}");
            }
            Err(AppendError::Closed) => return Err(Over),
            Err(error) => panic!("an append was refused: {error}"),
        }
        at += count;
        driver.process.oracle.borrow_mut().appended[number] = at;
        driver.process.oracle.borrow_mut().operations += 1;
        driver.process.driven.set(driver.process.driven.get() + 1);
        driver.pause(driver.below(1_000)).await;
    }
    Ok(())
}

/// Shows the oracle what is new in the sink.
async fn read_counts(driver: &Driver, topic: &Topic) -> Result<(), Over> {
    for (number, partition) in topic.partitions.iter().enumerate() {
        loop {
            let from = driver.process.oracle.borrow().checked.get(&number).copied().unwrap_or(0);
            let batches = match driver.client.read(partition.id, Offset(from), 64 << 10).await {
                Ok(batches) => batches,
                Err(ReadError::Closed | ReadError::Disk { .. }) => return Err(Over),
                Err(error) => panic!("the sink cannot be read: {error}"),
            };
            if batches.is_empty() {
                break;
            }
            let mut oracle = driver.process.oracle.borrow_mut();
            for batch in &batches {
                for (offset, record) in (batch.base().0..).zip(BatchView::parse(batch).unwrap()) {
                    if offset >= from {
                        let word = std::str::from_utf8(record.key.unwrap()).unwrap();
                        oracle.saw(word, i64::from_be_bytes(record.value.unwrap().try_into().unwrap()));
                    }
                }
                oracle.checked.insert(number, batch.end().0);
            }
        }
    }
    Ok(())
}
