//! Compacted topics: the latest record of each key stays, offsets stay what they are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::common::{Client, batch, name, run};
use thalweg_engine::catalog::{Cleanup, CleanupPolicy, Retention, TopicSettings};
use thalweg_engine::client::{AppendError, Commit, CommitError};
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{BatchBuilder, BatchView, Offset, PartitionId, ShardId, TimeSearch, Timestamp};
use thalweg_sim::{Crash, Prng, World, WorldConfig};

const DELAY_MS: u64 = 10_000;

fn settings(cleanup: Cleanup) -> TopicSettings {
    TopicSettings { cleanup, ..TopicSettings::default() }
}

fn compact() -> Cleanup {
    Cleanup {
        policy: CleanupPolicy::Compact,
        tombstone_delay_ms: DELAY_MS,
        dirty_percent: 30,
        ..Cleanup::default()
    }
}

#[derive(Clone, Debug)]
struct Sent {
    key: String,
    value: Option<Vec<u8>>,
    at_ms: u64,
}

/// Everything that was appended, and what was found gone.
#[derive(Debug, Default)]
struct Model {
    sent: Vec<Sent>,
    gone: BTreeSet<u64>,
    start: u64,
    /// Time that passed in processes before this one.
    passed_ms: u64,
}

type Shared = Rc<RefCell<Model>>;

fn now_ms(client: &Client) -> u64 {
    client.runtime().now().0 / 1_000_000
}

async fn sleep(client: &Client, ms: u64) {
    client.runtime().sleep(Duration::from_millis(ms)).await;
}

async fn append(
    client: &Client,
    partition: PartitionId,
    model: &Shared,
    records: &[(String, Option<Vec<u8>>)],
) {
    let mut builder = BatchBuilder::new();
    let first = model.borrow().sent.len();
    for (number, (key, value)) in records.iter().enumerate() {
        let stamp = Timestamp((first + number) as i64);
        builder.push(stamp, Some(key.as_bytes()), value.as_deref(), &[]).unwrap();
    }
    let appended = client.append(partition, &builder.into_bytes()).await.unwrap();
    let mut model = model.borrow_mut();
    assert_eq!(appended.base.0 as usize, model.sent.len());
    let at_ms = now_ms(client) + model.passed_ms;
    model.sent.extend(records.iter().map(|(key, value)| Sent {
        key: key.clone(),
        value: value.clone(),
        at_ms,
    }));
}

/// Offsets that can be read, each checked against what was appended.
async fn read_all(client: &Client, partition: PartitionId, model: &Shared) -> BTreeSet<u64> {
    let bounds = client.bounds(partition).await.unwrap();
    let (mut at, mut found) = (bounds.start, BTreeSet::new());
    while at < bounds.end {
        let batches = client.read(partition, at, 16 << 10).await.unwrap();
        assert!(!batches.is_empty(), "something at or behind {at}, before the end {}", bounds.end);
        for batch in batches {
            assert!(batch.end() > at, "a batch that reaches behind {at}");
            for (offset, record) in BatchView::parse(&batch).unwrap().numbered(batch.base()) {
                let sent = &model.borrow().sent[offset.0 as usize];
                assert_eq!(record.key, Some(sent.key.as_bytes()), "key at {offset}");
                assert_eq!(record.value, sent.value.as_deref(), "value at {offset}");
                assert_eq!(record.timestamp, Timestamp(offset.0 as i64));
                if offset >= at {
                    assert!(found.insert(offset.0));
                }
            }
            at = batch.end();
        }
    }
    assert_eq!(at, bounds.end);
    found
}

/// Checks all of the partition; returns how many records are gone.
async fn check(client: &Client, partition: PartitionId, model: &Shared) -> usize {
    let found = read_all(client, partition, model).await;
    let mut model = model.borrow_mut();
    let now = now_ms(client) + model.passed_ms;
    let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
    for (offset, sent) in model.sent.iter().enumerate() {
        latest.insert(&sent.key, offset as u64);
    }
    let mut gone = BTreeSet::new();
    for offset in (model.start..model.sent.len() as u64).filter(|offset| !found.contains(offset)) {
        let sent = &model.sent[offset as usize];
        if latest[&*sent.key] == offset {
            assert_eq!(sent.value, None, "the latest value of {} at {offset} is gone", sent.key);
            assert!(sent.at_ms + DELAY_MS <= now, "the tombstone at {offset} went early");
        }
        gone.insert(offset);
    }
    if let Some(last) = (model.sent.len() as u64).checked_sub(1).filter(|last| *last >= model.start) {
        assert!(found.contains(&last), "the last record stays");
    }
    let back: Vec<_> = model.gone.intersection(&found).collect();
    assert!(back.is_empty(), "what was gone came back: {back:?}");
    model.gone = gone;
    model.gone.len()
}

fn record(prng: &mut Prng, keys: u64) -> (String, Option<Vec<u8>>) {
    let rare = prng.below(6) == 0;
    let key = if rare { keys + prng.below(50 * keys) } else { prng.below(keys) };
    let key = format!("key-{key}");
    let size = 1 + prng.below(2000) as usize;
    (key, (prng.below(5) > 0).then(|| vec![prng.below(256) as u8; size]))
}

async fn work(client: &Client, model: &Shared, prng: &RefCell<Prng>, rounds: u32) {
    let topic = match client.topic(&name("compacted")) {
        Some(topic) => topic,
        None => client.create_topic(&name("compacted"), 1, settings(compact())).await.unwrap(),
    };
    let partition = topic.partitions[0].id;
    check(client, partition, model).await;
    for _ in 0..rounds {
        let records: Vec<_> = {
            let mut prng = prng.borrow_mut();
            let count = 1 + prng.below(12);
            (0..count).map(|_| record(&mut prng, 40)).collect()
        };
        append(client, partition, model, &records).await;
        let dice = prng.borrow_mut().below(100);
        if dice < 8 {
            sleep(client, 3000).await;
        }
        if dice < 3 {
            let from = model.borrow().start;
            let to = model.borrow().sent.len() as u64;
            let start = from + prng.borrow_mut().below((to - from) / 4 + 1);
            client.set_log_start(partition, Offset(start)).await.unwrap();
            model.borrow_mut().start = start;
        }
        if dice < 6 {
            check(client, partition, model).await;
        }
    }
    sleep(client, 8000).await;
    check(client, partition, model).await;
}

#[test]
fn the_latest_value_of_every_key_is_there_and_nothing_gone_comes_back() {
    let mut marks = BTreeMap::new();
    for seed in 0..6 {
        let world = World::new(seed, WorldConfig::calm());
        let model = Shared::default();
        let prng = Rc::new(RefCell::new(Prng::new(seed)));
        for life in 0..5 {
            let (given, random) = (Rc::clone(&model), Rc::clone(&prng));
            let passed: Rc<RefCell<u64>> = Rc::default();
            let clock = Rc::clone(&passed);
            let script = move |client: Client, _| {
                let (model, prng, clock) = (Rc::clone(&given), Rc::clone(&random), Rc::clone(&clock));
                async move {
                    work(&client, &model, &prng, 150).await;
                    *clock.borrow_mut() = now_ms(&client);
                }
            };
            run(&world, 1, script);
            world.crash(if life % 2 == 0 { Crash::Power } else { Crash::Process });
            model.borrow_mut().passed_ms += *passed.borrow();
        }
        for mark in ["compaction-pass", "compaction-superseded", "compaction-tombstone-gone"] {
            *marks.entry(mark).or_insert(0) += world.coverage().of(mark);
        }
    }
    assert!(marks.values().all(|count| *count > 0), "{marks:?}");
}

async fn put(client: &Client, partition: PartitionId, key: &str, value: Option<&[u8]>, stamp: i64) -> Offset {
    let mut builder = BatchBuilder::new();
    builder.push(Timestamp(stamp), Some(key.as_bytes()), value, &[]).unwrap();
    client.append(partition, &builder.into_bytes()).await.unwrap().base
}

/// Has the segment that is written to end.
async fn end_segment(client: &Client) {
    let rest = client.create_topic(&name("rest"), 1, TopicSettings::default()).await.unwrap();
    for _ in 0..600 {
        client.append(rest.partitions[0].id, &batch(&[&"x".repeat(500)])).await.unwrap();
    }
}

#[test]
fn offsets_with_nothing_at_them_lead_to_the_next_record_and_times_are_found_across_them() {
    let world = World::new(1, WorldConfig::calm());
    run(&world, 1, |client, shard| async move {
        let topic = client.create_topic(&name("t"), 1, settings(compact())).await.unwrap();
        let partition = topic.partitions[0].id;
        put(&client, partition, "first", Some(b"kept"), 1000).await;
        for number in 0..2000 {
            put(&client, partition, "same", Some(&[7; 500]), 10 - number).await;
        }
        put(&client, partition, "last", None, 500).await;
        end_segment(&client).await;
        sleep(&client, 20_000).await;
        assert_eq!(shard.compacted().superseded, 1999);
        for from in [0, 1, 2, 700, 1999, 2000, 2001] {
            let found = client.read(partition, Offset(from), 1).await.unwrap();
            let view = BatchView::parse(&found[0]).unwrap();
            let next =
                view.numbered(found[0].base()).map(|(offset, _)| offset.0).find(|offset| *offset >= from);
            assert_eq!(next, Some(if from == 0 { 0 } else { from.max(2000) }));
        }
        assert_eq!(client.read(partition, Offset(2002), 1).await.unwrap().len(), 0);
        let since = client.find_by_time(partition, TimeSearch::Since(Timestamp(400))).await.unwrap().unwrap();
        assert_eq!(since.offset, Offset(0));
        client.set_log_start(partition, Offset(5)).await.unwrap();
        let since =
            client.find_by_time(partition, TimeSearch::Since(Timestamp(-5000))).await.unwrap().unwrap();
        assert_eq!((since.offset, since.timestamp), (Offset(2000), Timestamp(10 - 1999)));
        let largest = client.find_by_time(partition, TimeSearch::Largest).await.unwrap().unwrap();
        assert_eq!((largest.offset, largest.timestamp), (Offset(2001), Timestamp(500)));
        assert!(shard.log_status().live_bytes < 500_000, "{:?}", shard.log_status());
    });
}

#[test]
fn records_without_a_key_are_refused_by_a_compacted_topic_wherever_they_come_from() {
    let world = World::new(1, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard() != ShardId(0) {
            return;
        }
        let topic = client.create_topic(&name("t"), 2, settings(compact())).await.unwrap();
        let mut mixed = BatchBuilder::new();
        mixed.push(Timestamp(1), Some(b"key"), None, &[]).unwrap();
        mixed.push(Timestamp(1), None, Some(b"value"), &[]).unwrap();
        let bytes = mixed.into_bytes();
        let task = client.name("task").await.unwrap();
        for partition in topic.partitions.iter().map(|partition| partition.id) {
            assert_eq!(client.append(partition, &bytes).await.unwrap_err(), AppendError::NoKey { index: 1 });
            let outputs = vec![(partition, bytes.clone())];
            let commit = Commit { task, inputs: vec![], deltas: vec![], outputs, log_starts: vec![] };
            let refused = client.commit(&commit).await.unwrap_err();
            assert_eq!(refused, CommitError::NoKey { partition, index: 1 });
        }
        client.alter_topic(&name("t"), TopicSettings::default()).await.unwrap();
        client.append(topic.partitions[0].id, &bytes).await.unwrap();
    });
}

#[test]
fn a_compacted_topic_with_a_limit_lets_go_of_what_exceeds_it_and_of_no_more() {
    const LIMIT: u64 = 400_000;
    let world = World::new(1, WorldConfig::calm());
    run(&world, 1, |client, shard| async move {
        let cleanup = Cleanup { policy: CleanupPolicy::CompactAndDelete, ..compact() };
        let retention = Retention { ms: None, bytes: Some(LIMIT) };
        let settings = TopicSettings { cleanup, retention, ..TopicSettings::default() };
        let topic = client.create_topic(&name("t"), 1, settings).await.unwrap();
        let partition = topic.partitions[0].id;
        // Few keys: most of what comes goes again, and the limit is seldom reached.
        for number in 0..3000 {
            put(&client, partition, &format!("key-{}", number % 10), Some(&[1; 500]), number).await;
            if number % 100 == 0 {
                sleep(&client, 5_000).await;
            }
        }
        sleep(&client, 20_000).await;
        let start = client.bounds(partition).await.unwrap().start;
        assert!(shard.compacted().superseded > 2000);
        assert_eq!(start, Offset(0), "nothing exceeds the limit");
        for number in 0..3000 {
            put(&client, partition, &format!("other-{number}"), Some(&[1; 500]), number).await;
        }
        sleep(&client, 20_000).await;
        let bounds = client.bounds(partition).await.unwrap();
        let kept = (bounds.end.0 - bounds.start.0) * 600;
        assert!((LIMIT..LIMIT * 3 / 2).contains(&kept), "{kept} bytes are left");
    });
}

#[test]
fn no_record_goes_within_the_lag_and_no_topic_is_compacted_that_is_not_dirty_enough() {
    for (lag_ms, dirty_percent) in [(600_000, 0), (0, 100)] {
        let world = World::new(1, WorldConfig::calm());
        run(&world, 1, move |client, shard| async move {
            let cleanup = Cleanup { lag_ms, dirty_percent, ..compact() };
            let topic = client.create_topic(&name("t"), 1, settings(cleanup)).await.unwrap();
            let partition = topic.partitions[0].id;
            let begun = now_ms(&client);
            for number in 0..1500 {
                put(&client, partition, &format!("key-{}", number % 10), Some(&[1; 500]), number).await;
            }
            sleep(&client, 20_000).await;
            // Of a partition that was never compacted everything is new.
            let passes = shard.compacted().passes;
            assert_eq!(passes, u64::from(lag_ms == 0));
            for number in 0..1500 {
                put(&client, partition, &format!("key-{}", number % 10), Some(&[1; 500]), number).await;
            }
            sleep(&client, 20_000).await;
            assert_eq!(shard.compacted().passes, passes);
            if lag_ms > 0 {
                sleep(&client, lag_ms).await;
                // What the pass before left lies in the segment that is written to, until that ends.
                end_segment(&client).await;
                sleep(&client, 10_000).await;
                assert!(now_ms(&client) - begun > lag_ms);
                assert!(shard.compacted().superseded > 2000, "{:?}", shard.compacted());
            }
        });
    }
}
