//! Shards of one simulated process, each driven by a script.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::catalog::{Topic, TopicSettings};
use thalweg_engine::client::ShardClient;
use thalweg_engine::folder::shard_folder;
use thalweg_engine::io::Runtime;
use thalweg_engine::log::LogOptions;
use thalweg_engine::model::{
    BatchBuilder, BatchView, Offset, PartitionId, ProducerEpoch, ProducerId, ProducerStamp, RecordSequence,
    ShardId, Timestamp, TopicName,
};
use thalweg_engine::shard::{Shard, ShardOptions};
use thalweg_sim::{RunEnd, SimRuntime, StopAt, World};

pub(crate) const FOLDER: &str = "/data";

pub(crate) type Client = ShardClient<SimRuntime>;

/// A log small enough that everything rare happens.
pub(crate) fn options() -> ShardOptions {
    ShardOptions {
        log: LogOptions {
            segment_size: 256 << 10,
            pool_target: 2,
            checkpoint_interval: 512 << 10,
            cache_bytes: 128 << 10,
            frame_size_target: 32 << 10,
            frame_size_max: 64 << 10,
            ..LogOptions::default()
        },
        ..ShardOptions::default()
    }
}

/// Tells all scripts of a process when each of them has ended.
#[derive(Clone)]
pub(crate) struct Barrier {
    left: Rc<Cell<u16>>,
}

impl Barrier {
    pub(crate) fn new(shards: u16) -> Self {
        Self { left: Rc::new(Cell::new(shards)) }
    }

    pub(crate) async fn pass(&self, runtime: &SimRuntime) {
        self.left.set(self.left.get() - 1);
        while self.left.get() > 0 {
            runtime.sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Starts a process of `shards` shards; each opens, runs `script`, waits for the others' scripts, and closes.
pub(crate) fn start<F>(
    world: &World,
    shards: u16,
    script: impl Fn(Client, Shard<SimRuntime>) -> F + Clone + 'static,
) where
    F: Future<Output = ()> + 'static,
{
    let barrier = Barrier::new(shards);
    world.start(shards, move |runtime| {
        let (barrier, script) = (barrier.clone(), script.clone());
        async move {
            let id = runtime.shard();
            let folder = shard_folder(Path::new(FOLDER), id);
            let opened = Shard::open(runtime.clone(), id, shards, &folder, options()).await;
            let (shard, _) = opened.expect("the shard opens");
            script(ShardClient::new(shard.clone()), shard.clone()).await;
            barrier.pass(&runtime).await;
            shard.close().await;
        }
    });
}

/// Runs a process of `shards` shards to its end.
pub(crate) fn run<F>(
    world: &World,
    shards: u16,
    script: impl Fn(Client, Shard<SimRuntime>) -> F + Clone + 'static,
) where
    F: Future<Output = ()> + 'static,
{
    start(world, shards, script);
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
}

/// A place where one script leaves something for another.
pub(crate) struct Shared<T>(Rc<RefCell<Option<T>>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Clone> Shared<T> {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(None)))
    }

    pub(crate) fn put(&self, value: T) {
        self.0.replace(Some(value));
    }

    pub(crate) fn peek(&self) -> Option<T> {
        self.0.borrow().clone()
    }

    pub(crate) async fn get(&self, runtime: &SimRuntime) -> T {
        loop {
            if let Some(value) = self.0.borrow().clone() {
                return value;
            }
            runtime.sleep(Duration::from_micros(200)).await;
        }
    }
}

pub(crate) fn name(text: &str) -> TopicName {
    TopicName::new(text).unwrap()
}

pub(crate) async fn create(client: &Client, text: &str, partitions: u32) -> Topic {
    client.create_topic(&name(text), partitions, TopicSettings::default()).await.unwrap()
}

/// The topic's partition on `shard`.
pub(crate) fn partition_on(topic: &Topic, shard: u16) -> PartitionId {
    topic.partitions.iter().find(|partition| partition.shard == ShardId(shard)).unwrap().id
}

/// A batch whose records have these values, without keys.
pub(crate) fn batch(values: &[&str]) -> Vec<u8> {
    stamped(values, None)
}

pub(crate) fn stamped(values: &[&str], stamp: Option<ProducerStamp>) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.set_producer(stamp);
    for value in values {
        builder.push(Timestamp(1), None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder.into_bytes()
}

pub(crate) fn stamp(id: ProducerId, epoch: u16, sequence: u32) -> Option<ProducerStamp> {
    Some(ProducerStamp { id, epoch: ProducerEpoch(epoch), sequence: RecordSequence(sequence) })
}

/// All values of a partition, from its log start.
pub(crate) async fn values(client: &Client, partition: PartitionId) -> Vec<String> {
    let bounds = client.bounds(partition).await.unwrap();
    let (mut at, mut values) = (bounds.start, Vec::new());
    while at < bounds.end {
        let batches = client.read(partition, at, 16 << 10).await.unwrap();
        assert!(!batches.is_empty(), "a batch at {at}, before the end {}", bounds.end);
        for batch in batches {
            let skipped = at.0.saturating_sub(batch.base().0) as usize;
            assert!(batch.base() <= at, "batches are dense");
            let records = BatchView::parse(&batch).unwrap();
            for record in records.iter().skip(skipped) {
                values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
            }
            at = batch.end();
        }
    }
    assert_eq!(at, bounds.end);
    values
}

/// Waits until a partition holds `count` records in all.
pub(crate) async fn wait_for(client: &Client, partition: PartitionId, count: u64) {
    while client.wait_for_data(partition, Offset(count - 1), None).await.unwrap() < Offset(count) {}
}
