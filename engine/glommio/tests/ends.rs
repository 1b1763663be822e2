//! How an engine ends: closed, dropped, or by the panic of a shard.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thalweg_engine::catalog::{CatalogError, Partition, Topic, TopicSettings};
use thalweg_engine::client::ReadError;
use thalweg_engine::model::{BatchBuilder, Offset, ShardId, Timestamp, TopicName};
use thalweg_runtime::{Client, ClosedError, Engine, OpenEngineError};

use common::{TestFolder, engine_options};

fn open(folder: &TestFolder) -> Engine {
    Engine::open(folder.path(), engine_options(2)).unwrap()
}

fn batch() -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push(Timestamp(1), None, Some(b"value"), &[]).unwrap();
    builder.into_bytes()
}

/// A topic with a partition on each of two shards, in their order.
fn topic(client: &Client) -> Topic {
    let mut topic = client.create_topic(&TopicName::new("t").unwrap(), 2, TopicSettings::default()).unwrap();
    topic.partitions.sort_by_key(|partition| partition.shard);
    assert_eq!(topic.partitions[1].shard, ShardId(1));
    topic
}

/// Appends one record at a time until that is refused; how many were acknowledged.
fn append_until_refused(client: &Client, partition: &Partition) -> u64 {
    let mut acknowledged = 0;
    while let Ok(Ok(appended)) = client.append(partition, batch()).wait() {
        assert!(appended.base >= Offset(acknowledged));
        acknowledged += 1;
    }
    acknowledged
}

#[test]
fn dropping_an_engine_closes_it_before_the_folder_is_free() {
    let folder = TestFolder::new();
    let engine = open(&folder);
    let client = engine.client();
    let made = topic(&client);
    let under_way = client.append(&made.partitions[0], batch());
    drop(engine);
    assert_eq!(under_way.wait().unwrap().unwrap().base, Offset(0), "accepted, hence carried out");
    assert_eq!(client.append(&made.partitions[0], batch()).wait(), Err(ClosedError::Closed));
    let engine = open(&folder);
    assert_eq!(engine.client().bounds(&made.partitions[0]).unwrap().end, Offset(1));
    let appended = engine.client().append(&made.partitions[0], batch()).wait().unwrap().unwrap();
    assert_eq!(appended.base, Offset(1));
}

#[test]
fn an_engine_that_one_of_its_shards_drops_is_closed_too() {
    let folder = TestFolder::new();
    let engine = Arc::new(open(&folder));
    let client = engine.client();
    let made = topic(&client);
    let (go, waiting) = flume::bounded::<()>(0);
    let held = Arc::clone(&engine);
    engine
        .on_each_shard(move |_| {
            let (held, waiting) = (Arc::clone(&held), waiting.clone());
            async move {
                let _ = waiting.recv_async().await;
                drop(held);
            }
        })
        .unwrap();
    let kept = Arc::downgrade(&engine);
    drop(engine);
    client.append(&made.partitions[0], batch()).wait().unwrap().unwrap();
    assert_eq!(kept.strong_count(), 2, "each shard's task holds it");
    drop(go);
    append_until_refused(&client, &made.partitions[0]);
    append_until_refused(&client, &made.partitions[1]);
    assert_eq!(client.why_closed(), ClosedError::Closed);
    open_when_free(folder.path()).close().unwrap();
}

/// Opens a folder that is about to be unlocked.
fn open_when_free(path: &Path) -> Engine {
    loop {
        match Engine::open(path, engine_options(2)) {
            Err(OpenEngineError::Locked(_)) => {}
            other => return other.unwrap(),
        }
    }
}

#[test]
fn every_call_is_answered_when_the_engine_closes_under_load() {
    for _ in 0..20 {
        let folder = TestFolder::new();
        let engine = open(&folder);
        let client = engine.client();
        let made = topic(&client);
        let acknowledged: u64 = std::thread::scope(|scope| {
            let appenders: Vec<_> =
                (0..8).map(|_| scope.spawn(|| append_until_refused(&client, &made.partitions[0]))).collect();
            for _ in 0..10 {
                client.append(&made.partitions[0], batch()).wait().unwrap().unwrap();
            }
            engine.close().unwrap();
            appenders.into_iter().map(|appender| appender.join().unwrap()).sum()
        });
        assert_eq!(client.topics(), Err(ClosedError::Closed));
        let engine = open(&folder);
        let end = engine.client().bounds(&made.partitions[0]).unwrap().end;
        assert!(end >= Offset(acknowledged + 10), "{end} of {acknowledged} and 10");
        engine.close().unwrap();
    }
}

#[test]
fn a_panic_on_one_shard_ends_every_call_with_its_message() {
    let folder = TestFolder::new();
    let engine = open(&folder);
    let client = engine.client();
    let made = topic(&client);
    let panicked = ClosedError::Panicked { shard: ShardId(1), message: "task 7 is broken".to_owned() };
    let acknowledged: Vec<u64> = std::thread::scope(|scope| {
        let appenders: Vec<_> = made
            .partitions
            .iter()
            .map(|partition| scope.spawn(|| append_until_refused(&client, partition)))
            .collect();
        let waiting = scope.spawn(|| client.read(&made.partitions[1], Offset(u64::MAX), 1, Duration::MAX));
        for partition in &made.partitions {
            client.append(partition, batch()).wait().unwrap().unwrap();
        }
        let broken = 7;
        engine
            .on_each_shard(move |shard| async move {
                assert!(shard.shard() == ShardId(0), "task {broken} is broken");
                std::future::pending::<()>().await;
            })
            .unwrap();
        assert_eq!(waiting.join().unwrap().unwrap_err(), ReadError::Closed);
        appenders.into_iter().map(|appender| appender.join().unwrap()).collect()
    });
    for partition in &made.partitions {
        assert_eq!(client.bounds(partition), Err(ReadError::Closed));
        assert_eq!(client.append(partition, batch()).wait(), Err(panicked.clone()));
    }
    assert_eq!(client.topics(), Err(panicked.clone()));
    let refused =
        client.create_topic(&TopicName::new("late").unwrap(), 1, TopicSettings::default()).unwrap_err();
    assert_eq!(refused, CatalogError::Closed);
    assert_eq!(engine.on_each_shard(|_| async {}), Err(panicked.clone()));
    assert_eq!(client.why_closed(), panicked);
    assert!(panicked.to_string().contains("shard 1 panicked: task 7 is broken"), "{panicked}");
    assert_eq!(engine.close(), Err(panicked));

    let engine = open(&folder);
    for (partition, acknowledged) in made.partitions.iter().zip(acknowledged) {
        let end = engine.client().bounds(partition).unwrap().end;
        assert!(end > Offset(acknowledged), "{end} of {acknowledged} and 1");
    }
    engine.close().unwrap();
}

#[test]
fn a_wait_as_long_as_can_be_said_ends_with_the_first_record() {
    let folder = TestFolder::new();
    let engine = open(&folder);
    let client = engine.client();
    let made = topic(&client);
    for partition in &made.partitions {
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| client.read(partition, Offset(0), 1, Duration::MAX).unwrap());
            client.append(partition, batch()).wait().unwrap().unwrap();
            assert_eq!(reading.join().unwrap()[0].count, 1);
        });
    }
    engine.close().unwrap();
}
