//! One life of the process: open, drive, close.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::catalog::{Topic, TopicSettings};
use thalweg_engine::client::ShardClient;
use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::model::{ShardId, TopicName};
use thalweg_engine::shard::Shard;

use super::character::{Character, Mix};
use super::oracle::Oracle;
use super::{churn, compacted, forget, groups, kept, loader, reader, task};
use crate::harness::{Life, ShardOpening};
use crate::runtime::SimRuntime;

pub(super) type Client = ShardClient<SimRuntime>;

/// The engine is closed or could not be opened: this life goes no further.
#[derive(Debug)]
pub(super) struct Over;

/// What the shards of one process share with each other and with the oracle.
pub(super) struct Process {
    pub(super) shards: u16,
    pub(super) life: Life,
    pub(super) mix: Mix,
    opening: ShardOpening,
    pub(super) oracle: Rc<RefCell<Oracle>>,
    /// Operations of this life.
    driven: Cell<u64>,
    /// Shards whose main task still drives.
    driving: Cell<u16>,
    /// Tasks that drive.
    tasks: Cell<usize>,
}

/// What every driver has at hand.
#[derive(Clone)]
pub(super) struct Driver {
    pub(super) client: Client,
    pub(super) shard: Shard<SimRuntime>,
    pub(super) process: Rc<Process>,
}

impl Process {
    pub(super) fn new(character: &Character, life: Life, oracle: Rc<RefCell<Oracle>>) -> Self {
        let Character { shards, mix, ref options, .. } = *character;
        let opening = ShardOpening::new(shards, options.clone());
        let (driven, tasks) = (Cell::new(0), Cell::new(0));
        Self { shards, life, mix, opening, oracle, driven, driving: Cell::new(shards), tasks }
    }

    /// Whether drivers should begin nothing more. In the last life they go on until everything was found.
    pub(super) fn is_over(&self) -> bool {
        let enough = self.driven.get() >= self.life.operations && !self.life.last;
        enough || self.driving.get() == 0
    }

    pub(super) fn operation(&self) {
        self.driven.set(self.driven.get() + 1);
        self.oracle.borrow_mut().operations += 1;
    }
}

impl Driver {
    pub(super) fn runtime(&self) -> &SimRuntime {
        self.client.runtime()
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.runtime().random() % bound
    }

    pub(super) async fn pause(&self, microseconds: u64) {
        self.runtime().sleep(Duration::from_micros(microseconds)).await;
    }

    /// Runs a driver beside the others.
    fn spawn<F>(&self, drive: impl FnOnce(Self) -> F)
    where
        F: Future<Output = Result<(), Over>> + 'static,
    {
        let driver = drive(self.clone());
        let process = Rc::clone(&self.process);
        process.tasks.set(process.tasks.get() + 1);
        self.runtime().spawn(Priority::Foreground, async move {
            let _over = driver.await;
            process.tasks.set(process.tasks.get() - 1);
        });
    }

    /// A lasting topic, once this shard knows it.
    pub(super) async fn topic(&self, text: &str) -> Topic {
        let name = TopicName::new(text).expect("a topic name");
        loop {
            if let Some(topic) = self.client.topic(&name) {
                return topic;
            }
            self.pause(100).await;
        }
    }
}

/// The main task of one shard.
pub(super) async fn live(runtime: SimRuntime, process: Rc<Process>) {
    let Some(shard) = process.opening.open(&runtime, process.life).await else { return };
    runtime.mark("shards.opened");
    let trim_delays_us = [10, 500, 20_000];
    shard.set_outbox_trim_delay(Duration::from_micros(trim_delays_us[(runtime.random() % 3) as usize]));
    let driver = Driver { client: ShardClient::new(shard.clone()), shard: shard.clone(), process };
    if make_topics(&driver).await.is_ok() {
        drive(&driver).await;
    }
    let process = &driver.process;
    process.driving.set(process.driving.get() - 1);
    let abrupt = !process.life.last && driver.below(2) == 0;
    while !abrupt && (process.driving.get() > 0 || process.tasks.get() > 0) {
        driver.pause(500).await;
    }
    shard.close().await;
}

/// Shard 0 makes the lasting topics, unless an earlier life did.
async fn make_topics(driver: &Driver) -> Result<(), Over> {
    if driver.client.shard() != ShardId(0) {
        return Ok(());
    }
    let (made, sources, sinks) = {
        let oracle = driver.process.oracle.borrow();
        (oracle.topics_made, oracle.sources.len(), oracle.sinks.len())
    };
    for (text, partitions) in [("source", sources), ("sink", sinks)] {
        let name = TopicName::new(text).expect("a topic name");
        if driver.client.topic(&name).is_none() {
            assert!(!made, "topic {text} is lost");
            let settings = TopicSettings::default();
            driver.client.create_topic(&name, partitions as u32, settings).await.map_err(|_| Over)?;
        }
    }
    driver.process.oracle.borrow_mut().topics_made = true;
    Ok(())
}

async fn drive(driver: &Driver) {
    let (source, sink) = (driver.topic("source").await, driver.topic("sink").await);
    let process = &driver.process;
    let (own, shards) = (driver.client.shard(), usize::from(process.shards));
    for (index, partition) in source.partitions.iter().enumerate() {
        if partition.shard == own {
            driver.spawn(|driver| task::run(driver, index, partition.id, sink.clone()));
        }
        // Beside the partition, on another shard if there is one.
        if (usize::from(partition.shard.0) + 1 + index) % shards == usize::from(own.0) {
            driver.spawn(|driver| loader::run(driver, index, partition.id));
        }
    }
    for (index, partition) in sink.partitions.iter().enumerate() {
        if index % shards == usize::from(own.0) {
            driver.spawn(|driver| reader::run(driver, index, partition.id));
        }
    }
    let lasting = source.partitions.iter().chain(&sink.partitions).map(|partition| partition.id);
    for number in (0..groups::GROUPS).filter(|number| number % shards == usize::from(own.0)) {
        let lasting = lasting.clone().collect();
        driver.spawn(|driver| groups::run(driver, number, lasting));
    }
    if usize::from(own.0) == shards - 1 {
        if process.mix.churn {
            driver.spawn(churn::run);
        }
        if process.oracle.borrow().kept.limit > 0 {
            driver.spawn(kept::run);
        }
        driver.spawn(compacted::run);
    }
    if process.mix.forget_us > 0 {
        driver.spawn(forget::run);
    }
    while !process.is_over() {
        driver.pause(500).await;
        if process.life.last && reader::everything_found(driver, &source).await {
            return;
        }
    }
}
