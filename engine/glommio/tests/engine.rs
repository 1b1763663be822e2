//! The engine inside a program: threads on one side, shards on the other, one folder on a real disk.

mod common;

use std::time::Duration;

use thalweg_engine::catalog::{Topic, TopicSettings};
use thalweg_engine::client::AppendError;
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{
    BatchBuilder, BatchView, Offset, ProducerEpoch, ProducerStamp, RecordCount, RecordSequence, Timestamp,
    TopicName,
};
use thalweg_runtime::{Client, Engine, EngineOptions, OpenEngineError};

use common::TestFolder;

fn options(shards: u16) -> EngineOptions {
    let runtime = common::options();
    let mut options = EngineOptions { shards: Some(shards), runtime, ..EngineOptions::default() };
    options.log.segment_size = 4 << 20;
    options.log.frame_size_max = 1 << 20;
    options.log.checkpoint_interval = 8 << 20;
    options
}

fn batch(values: std::ops::Range<u64>) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.push(Timestamp(1), None, Some(&value.to_be_bytes()), &[]).unwrap();
    }
    builder.into_bytes()
}

fn topic(client: &Client, name: &str, partitions: u32) -> Topic {
    client.create_topic(&TopicName::new(name).unwrap(), partitions, TopicSettings::default()).unwrap()
}

/// Every value of a partition, in order.
fn read_all(client: &Client, topic: &Topic, partition: usize) -> Vec<u64> {
    let partition = &topic.partitions[partition];
    let end = client.bounds(partition).unwrap().end;
    let mut next = Offset(0);
    let mut values = Vec::new();
    while next < end {
        for batch in client.read(partition, next, 1 << 20, Duration::ZERO).unwrap() {
            assert_eq!(batch.base, next);
            let view = BatchView::parse(&batch.bytes).unwrap();
            values.extend(view.iter().map(|r| u64::from_be_bytes(r.value.unwrap().try_into().unwrap())));
            next = batch.base + RecordCount(u64::from(batch.count));
        }
    }
    values
}

#[test]
fn what_threads_append_is_there_after_reopening() {
    let folder = TestFolder::new();
    let engine = Engine::open(folder.path(), options(2)).unwrap();
    let client = engine.client();
    let made = topic(&client, "numbers", 4);
    assert!(made.partitions.iter().any(|p| p.shard.0 == 0) && made.partitions.iter().any(|p| p.shard.0 == 1));
    let mut pending = Vec::new();
    for round in 0..200u64 {
        let partition = &made.partitions[(round % 4) as usize];
        pending.push((round, client.append(partition, batch(round * 100..round * 100 + 100))));
    }
    for (round, answer) in pending {
        let appended = answer.wait().unwrap().unwrap();
        assert_eq!(appended.base, Offset(round / 4 * 100), "in the order in which the thread asked");
    }
    let before: Vec<Vec<u64>> = (0..4).map(|partition| read_all(&client, &made, partition)).collect();
    engine.close().unwrap();
    assert!(client.append(&made.partitions[0], batch(0..1)).wait().is_err(), "the engine is closed");

    let mut reopening = options(2);
    reopening.shards = None;
    let engine = Engine::open(folder.path(), reopening).unwrap();
    let client = engine.client();
    let found = client.topic(&made.name).unwrap().unwrap();
    assert_eq!(found, made);
    for (partition, values) in before.iter().enumerate() {
        assert_eq!(values.len(), 5000);
        assert_eq!(read_all(&client, &found, partition), *values);
    }
    engine.close().unwrap();
}

#[test]
fn a_folder_is_open_in_one_engine_at_a_time() {
    let folder = TestFolder::new();
    let engine = Engine::open(folder.path(), options(1)).unwrap();
    let refused = Engine::open(folder.path(), options(1));
    assert!(matches!(refused, Err(OpenEngineError::Locked(_))), "{refused:?}");
    engine.close().unwrap();
    let other = Engine::open(folder.path(), options(2));
    assert!(matches!(other, Err(OpenEngineError::Folder { .. })), "{other:?}");
    Engine::open(folder.path(), options(1)).unwrap().close().unwrap();
}

#[test]
fn a_batch_sent_twice_is_there_once_and_what_is_malformed_is_refused() {
    let folder = TestFolder::new();
    let engine = Engine::open(folder.path(), options(1)).unwrap();
    let client = engine.client();
    let made = topic(&client, "once", 1);
    let partition = &made.partitions[0];
    let mut builder = BatchBuilder::new();
    let producer = client.producer_id().unwrap();
    builder.push(Timestamp(1), None, Some(&7u64.to_be_bytes()), &[]).unwrap();
    builder.set_producer(Some(ProducerStamp {
        id: producer,
        epoch: ProducerEpoch(0),
        sequence: RecordSequence(0),
    }));
    let bytes = builder.into_bytes();
    let first = client.append(partition, bytes.clone()).wait().unwrap().unwrap();
    let again = client.append(partition, bytes.clone()).wait().unwrap().unwrap();
    assert_eq!((first.base, first.duplicate), (Offset(0), false));
    assert_eq!((again.base, again.duplicate), (Offset(0), true));
    let position = client.producer_position(partition, producer).unwrap().unwrap();
    assert_eq!(position.next, RecordSequence(1));
    let refused = client.append(partition, bytes[1..].to_vec()).wait().unwrap();
    assert!(matches!(refused, Err(AppendError::Batch(_))), "{refused:?}");
    assert_eq!(read_all(&client, &made, 0), [7]);
    engine.close().unwrap();
}

#[test]
fn a_reader_waits_for_what_is_appended_later() {
    let folder = TestFolder::new();
    let engine = Engine::open(folder.path(), options(2)).unwrap();
    let client = engine.client();
    let made = topic(&client, "later", 2);
    std::thread::scope(|scope| {
        let (reader, reading) = (client.clone(), made.clone());
        let found = scope.spawn(move || {
            reader.read(&reading.partitions[1], Offset(0), 1, Duration::from_secs(60)).unwrap()
        });
        client.append(&made.partitions[1], batch(0..3)).wait().unwrap().unwrap();
        assert_eq!(found.join().unwrap()[0].count, 3);
    });
    engine.close().unwrap();
}

#[test]
fn a_task_on_each_shard_sees_its_own_data_in_place() {
    let folder = TestFolder::new();
    let engine = Engine::open(folder.path(), options(2)).unwrap();
    let client = engine.client();
    let made = topic(&client, "local", 2);
    let (counted, counts) = flume::unbounded();
    let partitions = made.partitions.clone();
    engine
        .on_each_shard(move |shard| {
            let (counted, partitions) = (counted.clone(), partitions.clone());
            async move {
                let own = partitions.iter().find(|partition| partition.shard == shard.shard()).unwrap();
                let end = shard.wait_for_data(own.id, Offset(0), None).await.unwrap();
                let batches = shard.read(own.id, Offset(0), 1).await.unwrap();
                let records: u32 = batches.iter().map(|batch| BatchView::parse(batch).unwrap().count()).sum();
                assert_eq!(u64::from(records), end.0);
                shard.runtime().yield_now().await;
                let _ = counted.send((shard.shard(), records));
            }
        })
        .unwrap();
    for (index, partition) in made.partitions.iter().enumerate() {
        client.append(partition, batch(0..index as u64 + 5)).wait().unwrap().unwrap();
    }
    let mut found: Vec<_> = counts.iter().collect();
    found.sort();
    let mut expected: Vec<_> =
        made.partitions.iter().enumerate().map(|(i, partition)| (partition.shard, i as u32 + 5)).collect();
    expected.sort();
    assert_eq!(found, expected);
    engine.close().unwrap();
}
