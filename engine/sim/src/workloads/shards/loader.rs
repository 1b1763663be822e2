//! An idempotent producer whose sequence is its position: it goes on where the partition says it was.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use thalweg_engine::client::{AppendError, Appended};
use thalweg_engine::model::{
    BatchBuilder, Offset, PartitionId, ProducerEpoch, ProducerId, ProducerStamp, RecordSequence, Timestamp,
};

use super::life::{Driver, Over};
use super::oracle::KEYS;

/// Records that a loader is ahead of its task at most.
const AHEAD_MAX: u64 = 3_000;

type Append = Result<Appended, AppendError>;

pub(super) async fn run(driver: Driver, source: usize, partition: PartitionId) -> Result<(), Over> {
    let producer = producer(&driver, source).await?;
    let mut at = resume(&driver, source, partition, producer).await?;
    let mut last: Option<(u64, Vec<u8>)> = None;
    let mix = driver.process.mix;
    while !driver.process.is_over() && !driver.process.life.last {
        if at > driver.process.oracle.borrow().sources[source].processed + AHEAD_MAX {
            driver.pause(300).await;
            continue;
        }
        if let Some((base, bytes)) = last.take().filter(|_| mix.repeat && driver.below(4) == 0) {
            let answer = driver.client.append(partition, &bytes).await;
            let Appended { base: found, duplicate } = answer_of(answer)?;
            assert!(duplicate, "a repetition of record {base} was appended at {found}");
            assert_eq!(found, Offset(base), "where the first one is");
            driver.runtime().count("shards.duplicate");
        }
        // Several batches on their way at once arrive in order; now and then more than there are credits.
        let is_burst = mix.burst > 0 && driver.below(60) == 0;
        let batches = if is_burst { mix.burst } else { 1 + driver.below(4) };
        let mut sent = Vec::new();
        for _ in 0..batches {
            let count = 1 + driver.below(if is_burst { 2 } else { 20 });
            sent.push((at, count, records(&driver, source, producer, at, count)));
            at += count;
        }
        let answers = together(sent.iter().map(|(_, _, bytes)| driver.client.append(partition, bytes))).await;
        for ((base, count, _), answer) in sent.iter().zip(answers) {
            let expected = Appended { base: Offset(*base), duplicate: false };
            assert_eq!(answer_of(answer)?, expected);
            driver.process.oracle.borrow_mut().sources[source].appended = base + count;
            driver.process.operation();
        }
        last = sent.pop().map(|(base, _, bytes)| (base, bytes));
        if driver.below(3) == 0 {
            driver.pause(driver.below(2_000)).await;
        }
    }
    Ok(())
}

fn answer_of(answer: Append) -> Result<Appended, Over> {
    match answer {
        Ok(appended) => Ok(appended),
        Err(AppendError::Closed) => Err(Over),
        Err(error) => panic!("an append was refused: {error}"),
    }
}

/// The loader's producer: the same in every life, and nobody else's.
async fn producer(driver: &Driver, source: usize) -> Result<ProducerId, Over> {
    let known = driver.process.oracle.borrow().sources[source].producer;
    if let Some(producer) = known {
        return Ok(producer);
    }
    let producer = driver.client.producer_id().await.map_err(|_| Over)?;
    let mut oracle = driver.process.oracle.borrow_mut();
    assert!(oracle.producers.insert(producer), "producer {producer} was given twice");
    oracle.sources[source].producer = Some(producer);
    Ok(producer)
}

/// The next record. Nothing that was acknowledged is missing, and records and sequences agree.
async fn resume(
    driver: &Driver,
    source: usize,
    partition: PartitionId,
    producer: ProducerId,
) -> Result<u64, Over> {
    let position = driver.client.producer_position(partition, producer).await.map_err(|_| Over)?;
    let at = position.map_or(0, |position| u64::from(position.next.0));
    let end = driver.client.bounds(partition).await.map_err(|_| Over)?.end.0;
    let acknowledged = driver.process.oracle.borrow().sources[source].appended;
    assert!(at >= acknowledged, "source {source}: {acknowledged} records acknowledged, {at} found");
    assert_eq!(at, end, "source {source}: the producer's sequence is the partition's end");
    if at > 0 {
        driver.runtime().count("shards.resumed");
    }
    // What was answered once stays true.
    driver.process.oracle.borrow_mut().sources[source].appended = at;
    Ok(at)
}

fn records(driver: &Driver, source: usize, producer: ProducerId, at: u64, count: u64) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let sequence = RecordSequence(at as u32);
    builder.set_producer(Some(ProducerStamp { id: producer, epoch: ProducerEpoch(0), sequence }));
    let (padding, some) = driver.process.mix.padding;
    let padding = driver.below(if driver.below(8) == 0 { some } else { padding });
    let padding = "~".repeat(padding as usize);
    for k in at..at + count {
        let (key, value) = ((k % KEYS).to_string(), format!("{source}:{k}:{padding}"));
        let timestamp = Timestamp(k as i64);
        builder.push(timestamp, Some(key.as_bytes()), Some(value.as_bytes()), &[]).expect("a small record");
    }
    builder.into_bytes()
}

/// Polls all futures, in order, until each has ended.
async fn together<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<(Pin<Box<_>>, Option<T>)> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut pending = false;
        for (future, value) in running.iter_mut().filter(|(_, value)| value.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(ended) => *value = Some(ended),
                Poll::Pending => pending = true,
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().map(|(_, value)| value.expect("it has ended")).collect()
}
