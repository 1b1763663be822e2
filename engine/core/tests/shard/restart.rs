//! What a shard finds again after a crash or a clean end.

use super::common::{
    Shared, batch, create, name, partition_on, run, stamp, stamped, start, values, wait_for,
};
use thalweg_engine::client::{Appended, Bounds, Commit};
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{BatchBuilder, Offset, ProducerId, RecordSequence, ShardId, Timestamp};
use thalweg_sim::{Crash, RunEnd, StopAt, World, WorldConfig};

fn count(key: &str, value: u64) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push(Timestamp(0), Some(key.as_bytes()), Some(&value.to_be_bytes()), &[]).unwrap();
    builder.into_bytes()
}

/// Makes one of everything that a shard keeps, on both shards; `checkpoint`: with one in the middle.
fn make_everything(world: &World, checkpoint: bool) {
    let shared: Shared<u32> = Shared::new();
    run(world, 2, move |client, shard| {
        let shared = shared.clone();
        async move {
            if client.shard() == ShardId(1) {
                shared.get(client.runtime()).await;
                if checkpoint {
                    shard.checkpoint().await.unwrap();
                }
                return;
            }
            let topic = create(&client, "kept", 2).await;
            create(&client, "gone", 3).await;
            client.delete_topic(&name("gone")).await.unwrap();
            let (local, remote) = (partition_on(&topic, 0), partition_on(&topic, 1));
            let (task, store) = (client.name("task").await.unwrap(), client.name("store").await.unwrap());
            let dropped = client.name("dropped").await.unwrap();
            for round in 0..50u32 {
                for partition in [local, remote] {
                    let bytes = stamped(&["a", "b"], stamp(ProducerId(7), 0, 2 * round));
                    client.append(partition, &bytes).await.unwrap();
                }
                let key = format!("key-{}", round % 20);
                let mut commit = Commit {
                    task,
                    inputs: vec![(local, Offset(u64::from(round)))],
                    deltas: vec![(store, count(&key, u64::from(round))), (dropped, count("x", 1))],
                    outputs: vec![(remote, batch(&["out"]))],
                    log_starts: Vec::new(),
                };
                if round == 30 {
                    commit.log_starts.push((local, Offset(11)));
                }
                client.commit(&commit).await.unwrap();
                if checkpoint && round == 25 {
                    shard.checkpoint().await.unwrap();
                }
            }
            client.drop_store(dropped).await.unwrap();
            wait_for(&client, remote, 150).await;
            shared.put(1);
        }
    });
}

/// Checks all of it.
fn find_everything(world: &World) {
    run(world, 2, |client, _| async move {
        assert_eq!(client.topics().len(), 1);
        let topic = client.topic(&name("kept")).unwrap();
        let (local, remote) = (partition_on(&topic, 0), partition_on(&topic, 1));
        let end = Offset(100);
        assert_eq!(client.bounds(local).await, Ok(Bounds { start: Offset(11), end }));
        assert_eq!(values(&client, local).await.len(), 89);
        let found = values(&client, remote).await;
        assert_eq!(found.len(), 150);
        assert_eq!(found.iter().filter(|value| *value == "out").count(), 50);
        for partition in [local, remote] {
            let position = client.producer_position(partition, ProducerId(7)).await.unwrap().unwrap();
            assert_eq!(position.next, RecordSequence(100));
            let repeated = stamped(&["a", "b"], stamp(ProducerId(7), 0, 98));
            let Appended { duplicate, .. } = client.append(partition, &repeated).await.unwrap();
            assert!(duplicate);
        }
        if client.shard() != ShardId(0) {
            return;
        }
        let names = [client.name("task").await.unwrap(), client.name("store").await.unwrap()];
        assert_eq!(client.input_position(names[0], local), Some(Offset(49)));
        assert_eq!(client.store_len(names[1]), 20);
        for round in 30..50u64 {
            let key = format!("key-{}", round % 20);
            let expected = Some(round.to_be_bytes().to_vec());
            let found = client.store_get(names[1], key.as_bytes(), |value| value.map(<[u8]>::to_vec));
            assert_eq!(found, expected);
        }
        let again = client.name("dropped").await.unwrap();
        assert!(again > names[1], "a number is never given twice");
        assert_eq!(client.store_len(again), 0);
        client.drop_store(again).await.unwrap();
    });
}

#[test]
fn everything_is_found_again_after_a_clean_end_a_crash_and_with_checkpoints() {
    for (seed, checkpoint) in [(1, false), (2, true), (3, true)] {
        let world = World::new(seed, WorldConfig::calm());
        make_everything(&world, checkpoint);
        find_everything(&world);
        world.crash(Crash::Power);
        find_everything(&world);
        let begun = world.coverage().of("checkpoint-named");
        assert_eq!(begun > 0, checkpoint);
    }
}

/// One life: shard 0 sends records through the outbox to shard 1 as fast as it can.
fn send(world: &World, sent: &Shared<u64>) {
    let sent = sent.clone();
    start(world, 2, move |client, _| {
        let sent = sent.clone();
        async move {
            if client.shard() != ShardId(0) {
                return client.runtime().sleep(std::time::Duration::from_secs(10)).await;
            }
            let out = name("out");
            let topic = match client.topic(&out) {
                Some(topic) => topic,
                None => create(&client, "out", 2).await,
            };
            let (marker, remote) = (partition_on(&topic, 0), partition_on(&topic, 1));
            let task = client.name("task").await.unwrap();
            let mut next = client.input_position(task, marker).map_or(0, |offset| offset.0);
            let acknowledged = sent.peek().unwrap_or(0);
            assert!(next >= acknowledged, "{acknowledged} commits were acknowledged, {next} are found");
            loop {
                let inputs = vec![(marker, Offset(next + 1))];
                let outputs = vec![(remote, batch(&[&next.to_string()]))];
                client.commit(&Commit { task, inputs, outputs, ..Commit::default() }).await.unwrap();
                next += 1;
                sent.put(next);
            }
        }
    });
}

#[test]
fn records_pass_an_outbox_exactly_once_whenever_the_process_is_killed() {
    for seed in 0..25u64 {
        let world = World::new(seed, WorldConfig::calm());
        let sent: Shared<u64> = Shared::new();
        for life in 0..6 {
            send(&world, &sent);
            assert_eq!(world.run_until(StopAt::Poll(200 + 37 * (seed + 5 * life))), RunEnd::Stopped);
            world.crash(if (seed + life) % 2 == 0 { Crash::Power } else { Crash::Process });
        }
        let checked: Shared<u64> = Shared::new();
        let (slot, acknowledged) = (checked.clone(), sent.peek().unwrap_or(0));
        run(&world, 2, move |client, _| {
            let slot = slot.clone();
            async move {
                let Some(topic) = client.topic(&name("out")) else { return };
                if client.shard() != ShardId(0) {
                    return;
                }
                let (marker, remote) = (partition_on(&topic, 0), partition_on(&topic, 1));
                let task = client.name("task").await.unwrap();
                let Some(count) = client.input_position(task, marker) else { return };
                assert!(count.0 >= acknowledged);
                wait_for(&client, remote, count.0).await;
                let expected: Vec<String> = (0..count.0).map(|number| number.to_string()).collect();
                assert_eq!(values(&client, remote).await, expected);
                slot.put(count.0);
            }
        });
        assert!(checked.peek().unwrap_or(0) > 0, "seed {seed}: something was sent");
    }
}
