//! A stream task: reads its source, counts by key, passes every record on; exactly once.

use std::collections::BTreeMap;
use std::time::Duration;

use thalweg_engine::catalog::Topic;
use thalweg_engine::client::{Commit, CommitError, ReadError};
use thalweg_engine::model::{BatchBuilder, BatchView, Offset, PartitionId, StoreId, Timestamp};

use super::life::{Driver, Over};
use super::oracle::{KEYS, Oracle};

/// A record as it is read.
struct Input {
    k: u64,
    key: Vec<u8>,
    value: Vec<u8>,
}

pub(super) async fn run(
    driver: Driver,
    source: usize,
    partition: PartitionId,
    sink: Topic,
) -> Result<(), Over> {
    let task = driver.client.name(&format!("task-{source}")).await.map_err(|_| Over)?;
    let store = driver.client.name(&format!("store-{source}")).await.map_err(|_| Over)?;
    assert_ne!(task, store, "two names have two numbers");
    let mut position = restored(&driver, source, partition, (task, store));
    while !driver.process.is_over() {
        let wait = Some(Duration::from_millis(5));
        match driver.client.wait_for_data(partition, Offset(position), wait).await {
            Ok(end) if end.0 > position => {}
            Ok(_) => continue,
            Err(_) => return Err(Over),
        }
        let inputs = read(&driver, source, partition, position).await?;
        let mut count = inputs.len().min(1 + driver.below(400) as usize);
        loop {
            let commit = step(&driver, (task, store), partition, &sink, &inputs[..count]);
            match driver.client.commit(&commit).await {
                Ok(()) => break,
                Err(CommitError::Closed) => return Err(Over),
                Err(CommitError::TooLarge { .. }) => {
                    driver.runtime().count("shards.commit-too-large");
                    count = count.div_ceil(2);
                }
                // A passing topic is gone.
                Err(CommitError::UnknownPartition { .. }) => driver.pause(50).await,
                Err(error) => panic!("a commit was refused: {error}"),
            }
        }
        position += count as u64;
        assert_eq!(driver.client.input_position(task, partition), Some(Offset(position)));
        check_store(&driver, store, position);
        driver.process.oracle.borrow_mut().sources[source].processed = position;
        driver.process.operation();
        between(&driver).await;
    }
    Ok(())
}

/// The position to go on from; it and the store are those of one commit.
fn restored(
    driver: &Driver,
    source: usize,
    partition: PartitionId,
    (task, store): (StoreId, StoreId),
) -> u64 {
    let position = driver.client.input_position(task, partition).map_or(0, |offset| offset.0);
    check_store(driver, store, position);
    let mut oracle = driver.process.oracle.borrow_mut();
    let source = &mut oracle.sources[source];
    assert!(position >= source.processed, "a commit up to {} is lost: {position}", source.processed);
    assert!(position >= source.seen, "record {} was passed on before its commit", source.seen - 1);
    source.processed = position;
    position
}

fn check_store(driver: &Driver, store: StoreId, position: u64) {
    for key in 0..KEYS {
        let name = key.to_string();
        let count = driver.client.store_get(store, name.as_bytes(), |value| value.map_or(0, parse_count));
        assert_eq!(count, Oracle::count_of(key, position), "count of key {key} at {position}");
    }
    assert_eq!(driver.client.store_len(store) as u64, position.min(KEYS));
}

fn parse_count(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().expect("a count has eight bytes"))
}

async fn read(driver: &Driver, source: usize, partition: PartitionId, from: u64) -> Result<Vec<Input>, Over> {
    let bytes_max = 1 + driver.below(64 << 10) as usize;
    let batches = match driver.client.read(partition, Offset(from), bytes_max).await {
        Ok(batches) => batches,
        Err(ReadError::Closed | ReadError::Disk { .. }) => return Err(Over),
        Err(error) => panic!("source {source} cannot be read at {from}: {error}"),
    };
    let mut inputs = Vec::new();
    for batch in &batches {
        let records = BatchView::parse(batch).expect("a batch as it was appended");
        for (Offset(k), record) in records.numbered(batch.base()) {
            let value = record.value.expect("a value");
            assert!(value.starts_with(format!("{source}:{k}:").as_bytes()), "record {k} of source {source}");
            if k >= from {
                inputs.push(Input { k, key: record.key.expect("a key").to_vec(), value: value.to_vec() });
            }
        }
    }
    assert!(inputs.first().is_some_and(|input| input.k == from), "the first batch holds {from}");
    Ok(inputs)
}

/// One commit that takes in `inputs`.
fn step(
    driver: &Driver,
    (task, store): (StoreId, StoreId),
    partition: PartitionId,
    sink: &Topic,
    inputs: &[Input],
) -> Commit {
    let next = Offset(inputs.last().expect("there is an input").k + 1);
    let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
    let mut outputs: BTreeMap<usize, BatchBuilder> = BTreeMap::new();
    for input in inputs {
        let before = || driver.client.store_get(store, &input.key, |value| value.map_or(0, parse_count));
        *counts.entry(&input.key).or_insert_with(before) += 1;
        let sink = driver.process.oracle.borrow().sink_of(input.k);
        let output = outputs.entry(sink).or_default();
        output.push(Timestamp(0), Some(&input.key), Some(&input.value), &[]).expect("a small record");
    }
    let mut delta = BatchBuilder::new();
    for (key, count) in &counts {
        delta.push(Timestamp(0), Some(key), Some(&count.to_be_bytes()), &[]).expect("a small record");
    }
    let mut commit = Commit {
        task,
        inputs: vec![(partition, next)],
        deltas: vec![(store, delta.into_bytes())],
        outputs: (outputs.into_iter())
            .map(|(sink_index, output)| (sink.partitions[sink_index].id, output.into_bytes()))
            .collect(),
        log_starts: Vec::new(),
    };
    if driver.process.mix.trim && driver.below(3) == 0 {
        commit.log_starts.push((partition, Offset(inputs[0].k)));
    }
    let passing = driver.process.oracle.borrow().passing_partitions.clone();
    if !passing.is_empty() && driver.below(2) == 0 {
        let mut batch = BatchBuilder::new();
        batch.push(Timestamp(0), None, Some(b"passing"), &[]).expect("a small record");
        commit.outputs.push((passing[driver.below(passing.len() as u64) as usize], batch.into_bytes()));
    }
    commit
}

/// What a task does now and then between two commits.
async fn between(driver: &Driver) {
    match driver.below(40) {
        0 => driver.shard.forget_speculation(),
        1 if driver.process.mix.checkpoint => {
            let _closed = driver.shard.checkpoint().await;
        }
        2..=8 => driver.pause(driver.below(3_000)).await,
        _ => {}
    }
}
