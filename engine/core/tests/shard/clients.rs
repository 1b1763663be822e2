//! Shards of one process on a simulated machine: what clients see, on the owning shard and from another.

use std::time::Duration;

use super::common::{
    Barrier, Client, FOLDER, Shared, batch, create, name, options, partition_on, run, stamp, stamped, values,
    wait_for,
};
use thalweg_engine::catalog::{CatalogError, Topic, TopicSettings};
use thalweg_engine::client::{
    AppendError, Appended, Bounds, Commit, CommitError, NameStoreError, ReadError, SetLogStartError,
    ShardClient,
};
use thalweg_engine::folder::shard_folder;
use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::limits::MESH_CREDITS_DATA;
use thalweg_engine::model::{
    BatchBuilder, BatchError, Offset, PartitionId, ProducerEpoch, ProducerId, RecordSequence, ShardId,
    StoreId, Timestamp,
};
use thalweg_engine::shard::Shard;
use thalweg_sim::{RunEnd, StopAt, World, WorldConfig};

fn appended(base: u64) -> Result<Appended, AppendError> {
    Ok(Appended { base: Offset(base), duplicate: false })
}

fn duplicate(base: u64) -> Result<Appended, AppendError> {
    Ok(Appended { base: Offset(base), duplicate: true })
}

/// A batch of one delta per (key, value).
fn delta(rows: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for (key, value) in rows {
        builder.push(Timestamp(0), Some(key.as_bytes()), value.map(str::as_bytes), &[]).unwrap();
    }
    builder.into_bytes()
}

#[test]
fn every_client_reads_what_any_client_appended_to_any_shard() {
    let world = World::new(1, WorldConfig::calm());
    let shared: Shared<Topic> = Shared::new();
    run(&world, 2, move |client, _| {
        let shared = shared.clone();
        async move {
            let own = client.shard().0;
            let topic = if own == 1 {
                shared.put(create(&client, "words", 4).await);
                shared.get(client.runtime()).await
            } else {
                let topic = shared.get(client.runtime()).await;
                assert_eq!(client.topic(&name("words")), Some(topic.clone()));
                topic
            };
            for partition in &topic.partitions {
                let text = format!("from {own}");
                client.append(partition.id, &batch(&[&text, "again"])).await.unwrap();
            }
            for partition in &topic.partitions {
                wait_for(&client, partition.id, 4).await;
                let mut found = values(&client, partition.id).await;
                found.sort();
                assert_eq!(found, ["again", "again", "from 0", "from 1"]);
                let bounds = client.bounds(partition.id).await.unwrap();
                assert_eq!(bounds, Bounds { start: Offset(0), end: Offset(4) });
                let local = partition.shard == client.shard();
                assert_eq!(client.local_bounds(partition.id), local.then_some(bounds));
            }
        }
    });
}

#[test]
fn a_topic_is_known_to_every_shard_when_its_creation_is_answered() {
    for seed in 0..20 {
        let world = World::new(seed, WorldConfig::calm());
        let shared: Shared<u32> = Shared::new();
        run(&world, 3, move |client, _| {
            let shared = shared.clone();
            async move {
                let orders = name("orders");
                match client.shard().0 {
                    1 => {
                        create(&client, "orders", 2).await;
                        shared.put(1);
                    }
                    2 => {
                        shared.get(client.runtime()).await;
                        assert_eq!(client.topic(&orders).unwrap().partitions.len(), 2);
                        let settings = TopicSettings::default();
                        let again = client.create_topic(&orders, 1, settings).await;
                        assert_eq!(again, Err(CatalogError::Exists { name: orders.clone() }));
                        let topic = client.add_partitions(&orders, 5).await.unwrap();
                        assert_eq!(client.topic(&orders), Some(topic.clone()));
                        for partition in &topic.partitions {
                            client.append(partition.id, &batch(&["x"])).await.unwrap();
                        }
                        let gone = client.delete_topic(&orders).await.unwrap();
                        assert_eq!(gone, topic);
                        for partition in &topic.partitions {
                            let partition = partition.id;
                            let refused = client.append(partition, &batch(&["y"])).await;
                            assert_eq!(refused, Err(AppendError::UnknownPartition { partition }));
                            let refused = client.bounds(partition).await;
                            assert_eq!(refused, Err(ReadError::UnknownPartition { partition }));
                        }
                        let settings = TopicSettings { internal: true, ..TopicSettings::default() };
                        let topic = client.create_topic(&orders, 1, settings).await.unwrap();
                        assert_eq!(client.topics(), [topic]);
                    }
                    _ => {}
                }
            }
        });
    }
}

#[test]
fn what_is_wrong_with_an_append_is_told_and_nothing_is_written() {
    let world = World::new(2, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard() != ShardId(0) {
            return;
        }
        let topic = create(&client, "t", 2).await;
        for partition in topic.partitions.iter().map(|partition| partition.id) {
            assert_eq!(client.append(partition, b"").await, Err(AppendError::Batch(BatchError::NotABatch)));
            let mut bytes = batch(&["a", "b"]);
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            let refused = client.append(partition, &bytes).await;
            assert!(matches!(refused, Err(AppendError::Batch(BatchError::Malformed { .. }))), "{refused:?}");
            let large = batch(&[&"x".repeat(64 << 10)]);
            let refused = client.append(partition, &large).await;
            assert!(matches!(refused, Err(AppendError::BatchTooLarge { .. })), "{refused:?}");
            let refused = client.append(partition, &stamped(&["a"], stamp(ProducerId(3), 0, 1 << 31))).await;
            assert!(matches!(refused, Err(AppendError::Batch(BatchError::Malformed { .. }))), "{refused:?}");
            assert_eq!(client.bounds(partition).await.unwrap().end, Offset(0));
            let refused = client.read(partition, Offset(1), 100).await.map(|batches| batches.len());
            let (from, start, end) = (Offset(1), Offset(0), Offset(0));
            assert_eq!(refused, Err(ReadError::OutOfRange { from, start, end }));
            let refused = client.set_log_start(partition, Offset(1)).await;
            assert_eq!(refused, Err(SetLogStartError::BehindEnd { offset: Offset(1), end: Offset(0) }));
        }
        let partition = PartitionId(77);
        let refused = client.append(partition, &batch(&["a"])).await;
        assert_eq!(refused, Err(AppendError::UnknownPartition { partition }));
        let refused = client.read(partition, Offset(0), 100).await.map(|batches| batches.len());
        assert_eq!(refused, Err(ReadError::UnknownPartition { partition }));
    });
}

#[test]
fn a_batch_sent_twice_is_appended_once_locally_and_from_afar() {
    let world = World::new(3, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard() != ShardId(1) {
            return;
        }
        let topic = create(&client, "t", 2).await;
        let producer = client.producer_id().await.unwrap();
        assert_ne!(client.producer_id().await.unwrap(), producer);
        for partition in topic.partitions.iter().map(|partition| partition.id) {
            let send = async |epoch, sequence, values: &[&str]| {
                client.append(partition, &stamped(values, stamp(producer, epoch, sequence))).await
            };
            let unknown = Err(AppendError::UnknownProducer { producer, found: RecordSequence(1) });
            assert_eq!(send(0, 1, &["a"]).await, unknown);
            assert_eq!(client.producer_position(partition, producer).await, Ok(None));
            assert_eq!(send(0, 0, &["a", "b"]).await, appended(0));
            assert_eq!(send(0, 2, &["c"]).await, appended(2));
            assert_eq!(send(0, 0, &["a", "b"]).await, duplicate(0));
            assert_eq!(send(0, 2, &["c"]).await, duplicate(2));
            let (expected, found) = (RecordSequence(3), RecordSequence(4));
            let gap = Err(AppendError::OutOfOrderSequence { producer, expected, found });
            assert_eq!(send(0, 4, &["e"]).await, gap);
            let position = client.producer_position(partition, producer).await.unwrap().unwrap();
            assert_eq!((position.epoch, position.next), (ProducerEpoch(0), RecordSequence(3)));
            assert_eq!(send(1, 0, &["d"]).await, appended(3));
            let (current, found) = (ProducerEpoch(1), ProducerEpoch(0));
            assert_eq!(send(0, 3, &["d"]).await, Err(AppendError::Fenced { producer, current, found }));
            assert_eq!(values(&client, partition).await, ["a", "b", "c", "d"]);
        }
    });
}

#[test]
fn a_repetition_in_flight_is_answered_with_the_offset_of_the_first() {
    let world = World::new(4, WorldConfig::calm());
    let done: Shared<u32> = Shared::new();
    run(&world, 1, move |client, shard| {
        let done = done.clone();
        async move {
            let topic = create(&client, "t", 1).await;
            let partition = topic.partitions[0].id;
            for number in 0..8 {
                let (client, done) = (client.clone(), done.clone());
                client.runtime().clone().spawn(Priority::Foreground, async move {
                    let bytes = stamped(&["once"], stamp(ProducerId(5), 0, 0));
                    let answer = client.append(partition, &bytes).await.unwrap();
                    assert_eq!(answer.base, Offset(0));
                    assert_eq!(answer.duplicate, number != 0, "tasks of a calm world run in turn");
                    if number == 7 {
                        done.put(number);
                    }
                });
                shard.forget_speculation();
            }
            done.get(client.runtime()).await;
            assert_eq!(values(&client, partition).await, ["once"]);
        }
    });
}

#[test]
fn forgetting_what_is_speculative_changes_no_offset() {
    for seed in 0..20 {
        let world = World::new(seed, WorldConfig::calm());
        run(&world, 2, |client, shard| async move {
            let own = client.shard();
            let topic = create(&client, &format!("t{own}"), 2).await;
            let task = client.name("task").await.unwrap();
            let left = Barrier::new(40);
            for number in 0..40u32 {
                let (client, left, topic) = (client.clone(), left.clone(), topic.clone());
                client.runtime().clone().spawn(Priority::Foreground, async move {
                    let outputs = topic.partitions.iter().map(|p| (p.id, batch(&[&number.to_string()])));
                    let commit = Commit { task, outputs: outputs.collect(), ..Commit::default() };
                    client.commit(&commit).await.unwrap();
                    left.pass(client.runtime()).await;
                });
                if number % 3 == 0 {
                    shard.forget_speculation();
                    shard.runtime().yield_now().await;
                    shard.forget_speculation();
                }
            }
            for partition in &topic.partitions {
                wait_for(&client, partition.id, 40).await;
                let mut found: Vec<u32> =
                    values(&client, partition.id).await.iter().map(|value| value.parse().unwrap()).collect();
                found.sort_unstable();
                assert_eq!(found, (0..40).collect::<Vec<_>>());
            }
        });
        assert!(world.coverage().of("speculation-forgotten") > 0);
    }
}

#[test]
fn a_commit_is_one_step_with_outputs_on_every_shard() {
    let world = World::new(5, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard() != ShardId(0) {
            return;
        }
        let topic = create(&client, "out", 2).await;
        let input = create(&client, "in", 2).await;
        let (local, remote) = (partition_on(&topic, 0), partition_on(&topic, 1));
        let input = partition_on(&input, 0);
        client.append(input, &batch(&["1", "2", "3"])).await.unwrap();
        let task = client.name("topology/task-0").await.unwrap();
        let store = client.name("topology/counts-0").await.unwrap();
        assert_ne!(task, store);
        assert_eq!(client.name("topology/task-0").await, Ok(task));
        assert_eq!(client.input_position(task, input), None);
        let commit = Commit {
            task,
            inputs: vec![(input, Offset(2))],
            deltas: vec![(store, delta(&[("a", Some("1")), ("b", Some("2"))]))],
            outputs: vec![(local, batch(&["x"])), (remote, batch(&["y", "z"])), (local, batch(&["w"]))],
            log_starts: vec![(input, Offset(2))],
        };
        client.commit(&commit).await.unwrap();
        assert_eq!(client.input_position(task, input), Some(Offset(2)));
        assert_eq!(client.bounds(input).await.unwrap().start, Offset(2));
        assert_eq!(client.store_get(store, b"b", |value| value.map(<[u8]>::to_vec)), Some(b"2".to_vec()));
        let deltas = vec![(store, delta(&[("b", None), ("a", Some("3"))]))];
        client.commit(&Commit { task, deltas, ..Commit::default() }).await.unwrap();
        assert_eq!(client.store_len(store), 1);
        let mut rows = Vec::new();
        client.store_for_each(store, |key, value| rows.push((key.to_vec(), value.to_vec())));
        assert_eq!(rows, [(b"a".to_vec(), b"3".to_vec())]);
        assert_eq!(values(&client, local).await, ["x", "w"]);
        wait_for(&client, remote, 2).await;
        assert_eq!(values(&client, remote).await, ["y", "z"]);
        client.drop_store(store).await.unwrap();
        assert_eq!(client.store_len(store), 0);
        assert_ne!(client.name("topology/counts-0").await, Ok(store));
    });
}

#[test]
fn a_commit_that_is_refused_changes_nothing() {
    let world = World::new(6, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard() != ShardId(0) {
            return;
        }
        let topic = create(&client, "out", 2).await;
        let (local, remote) = (partition_on(&topic, 0), partition_on(&topic, 1));
        let task = client.name("task").await.unwrap();
        let good = [(local, batch(&["x"])), (remote, batch(&["y"]))];
        let with = |more: (PartitionId, Vec<u8>)| {
            let outputs = good.iter().cloned().chain([more]).collect();
            Commit { task, outputs, ..Commit::default() }
        };
        let partition = PartitionId(99);
        let refused = client.commit(&with((partition, batch(&["x"])))).await;
        assert_eq!(refused, Err(CommitError::UnknownPartition { partition }));
        let refused = client.commit(&with((local, b"junk".to_vec()))).await;
        assert_eq!(refused, Err(CommitError::Batch(BatchError::NotABatch)));
        let large = batch(&[&"x".repeat(48 << 10)]);
        let mut commit = with((local, large.clone()));
        commit.outputs.push((remote, large));
        let refused = client.commit(&commit).await;
        assert!(matches!(refused, Err(CommitError::TooLarge { .. })), "{refused:?}");
        let store = StoreId(999);
        let deltas = vec![(store, delta(&[("a", None)]))];
        let refused = client.commit(&Commit { deltas, ..with((local, batch(&["x"]))) }).await;
        assert_eq!(refused, Err(CommitError::UnknownStore { store }));
        let (partition, offset) = (local, Offset(1));
        let log_starts = vec![(partition, offset)];
        let refused = client.commit(&Commit { log_starts, ..with((local, batch(&["x"]))) }).await;
        assert_eq!(refused, Err(CommitError::LogStart { partition, offset }));
        assert_eq!(client.name("").await, Err(NameStoreError::Size { size: 0, limit: 1024 }));

        client.commit(&with((local, batch(&["z"])))).await.unwrap();
        assert_eq!(values(&client, local).await, ["x", "z"]);
        wait_for(&client, remote, 1).await;
        assert_eq!(values(&client, remote).await, ["y"]);
    });
}

#[test]
fn requests_beyond_the_credits_wait_and_are_answered_in_order() {
    let world = World::new(7, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard() != ShardId(0) {
            return;
        }
        let topic = create(&client, "t", 2).await;
        let partition = partition_on(&topic, 1);
        let count = 4 * MESH_CREDITS_DATA as u32;
        let left = Barrier::new(count as u16 + 1);
        for number in 0..count {
            let (client, left) = (client.clone(), left.clone());
            client.runtime().clone().spawn(Priority::Foreground, async move {
                let bytes = stamped(&[&number.to_string()], stamp(ProducerId(1), 0, number));
                assert_eq!(client.append(partition, &bytes).await, appended(u64::from(number)));
                left.pass(client.runtime()).await;
            });
        }
        left.pass(client.runtime()).await;
        let expected: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        assert_eq!(values(&client, partition).await, expected);
    });
    assert!(world.coverage().of("no-credit") > 0);
}

#[test]
fn a_wait_for_records_ends_with_them_or_with_its_time() {
    let world = World::new(8, WorldConfig::calm());
    let shared: Shared<Topic> = Shared::new();
    run(&world, 2, move |client, _| {
        let shared = shared.clone();
        async move {
            let runtime = client.runtime().clone();
            if client.shard() == ShardId(0) {
                let topic = create(&client, "t", 2).await;
                shared.put(topic.clone());
                runtime.sleep(Duration::from_secs(5)).await;
                for partition in &topic.partitions {
                    client.append(partition.id, &batch(&["x"])).await.unwrap();
                }
                return;
            }
            let topic = shared.get(&runtime).await;
            for partition in topic.partitions.iter().map(|partition| partition.id) {
                let begin = runtime.now();
                let limit = Some(Duration::from_millis(1500));
                assert_eq!(client.wait_for_data(partition, Offset(0), limit).await, Ok(Offset(0)));
                let waited = runtime.now().since(begin);
                assert!(waited >= Duration::from_millis(1500) && waited < Duration::from_millis(1600));
            }
            for partition in topic.partitions.iter().map(|partition| partition.id) {
                assert_eq!(client.wait_for_data(partition, Offset(0), None).await, Ok(Offset(1)));
            }
        }
    });
}

#[test]
fn on_a_full_disk_every_topic_can_be_deleted_and_then_there_is_room() {
    // Five segments, their checkpoints, and not one segment more.
    let capacity = 5 * (256 << 10) + (200 << 10);
    let world = World::new(3, WorldConfig { disk_capacity: capacity, ..WorldConfig::calm() });
    run(&world, 1, |client: Client, shard| async move {
        let mut topics = Vec::new();
        for number in 0..6 {
            topics.push(create(&client, &format!("topic-{number}"), 2).await);
        }
        let mut appends = 0;
        for size in [20_000, 1] {
            let batch = batch(&[&"x".repeat(size)]);
            while client.append(topics[appends % 6].partitions[0].id, &batch).await.is_ok() {
                appends += 1;
            }
        }
        assert!(appends > 6, "something fits: {appends}");
        // Until there is no room for any change of the catalog.
        let more = async |number: u32| {
            client.create_topic(&name(&format!("more-{number}")), 1, TopicSettings::default()).await
        };
        let mut number = 0;
        while more(number).await.is_ok() {
            number += 1;
        }
        assert_eq!(more(number).await.unwrap_err(), CatalogError::NoSpace);
        for topic in client.topics() {
            client.delete_topic(&topic.name).await.expect("a topic can always be deleted");
        }
        let again = loop {
            match client.create_topic(&name("again"), 1, TopicSettings::default()).await {
                Ok(topic) => break topic,
                Err(error) => assert_eq!(error, CatalogError::NoSpace),
            }
            shard.runtime().sleep(Duration::from_millis(100)).await;
        };
        client.append(again.partitions[0].id, &batch(&["x"])).await.expect("there is room");
    });
}

#[test]
fn a_shard_that_opens_late_fetches_the_whole_catalog() {
    let world = World::new(9, WorldConfig::calm());
    let barrier = Barrier::new(2);
    world.start(2, move |runtime| {
        let barrier = barrier.clone();
        async move {
            let id = runtime.shard();
            if id == ShardId(1) {
                runtime.sleep(Duration::from_secs(1)).await;
            }
            let folder = shard_folder(std::path::Path::new(FOLDER), id);
            let (shard, _) = Shard::open(runtime.clone(), id, 2, &folder, options()).await.unwrap();
            let client: Client = ShardClient::new(shard.clone());
            if id == ShardId(0) {
                create(&client, "early", 2).await;
                assert!(runtime.now().since(thalweg_engine::io::Monotonic(0)) >= Duration::from_secs(1));
                create(&client, "late", 2).await;
            } else {
                while client.topic(&name("late")).is_none() {
                    runtime.sleep(Duration::from_millis(1)).await;
                }
                assert_eq!(client.topics().len(), 2);
            }
            barrier.pass(&runtime).await;
            shard.close().await;
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    assert!(world.coverage().of("catalog-gap") > 0);
}

#[test]
fn closing_needs_no_other_shard_and_tells_those_who_wait() {
    for seed in 0..20 {
        let world = World::new(seed, WorldConfig::calm());
        let shared: Shared<Topic> = Shared::new();
        run(&world, 2, move |client, shard| {
            let shared = shared.clone();
            async move {
                let runtime = client.runtime().clone();
                if client.shard() == ShardId(1) {
                    let topic = create(&client, "t", 2).await;
                    shared.put(topic.clone());
                    let partition = partition_on(&topic, 1);
                    runtime.sleep(Duration::from_millis(20)).await;
                    shard.close().await;
                    assert_eq!(client.append(partition, &batch(&["x"])).await, Err(AppendError::Closed));
                    let read = client.read(partition, Offset(0), 1).await.map(|batches| batches.len());
                    assert_eq!(read, Err(ReadError::Closed));
                    let settings = TopicSettings::default();
                    let refused = client.create_topic(&name("u"), 1, settings).await;
                    assert_eq!(refused, Err(CatalogError::Closed));
                    return;
                }
                let partition = partition_on(&shared.get(&runtime).await, 1);
                let waited = client.wait_for_data(partition, Offset(0), None).await;
                assert_eq!(waited, Err(ReadError::Closed));
                assert_eq!(client.append(partition, &batch(&["x"])).await, Err(AppendError::Closed));
                let settings = TopicSettings::default();
                let unsure = client.create_topic(&name("u"), 1, settings).await;
                assert_eq!(unsure, Err(CatalogError::Closed));
            }
        });
    }
}
