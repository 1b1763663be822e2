//! The engine inside a program: topics, threads that append and read, a task next to the data on each shard.
//!
//! ```text
//! cargo run -p thalweg-runtime --example embedded -- ./embedded-data
//! ```
//!
//! Run again, it finds what the runs before left in the folder.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thalweg_engine::catalog::{Partition, Topic, TopicSettings};
use thalweg_engine::model::{
    BatchBuilder, BatchView, Offset, ProducerEpoch, ProducerStamp, RecordCount, RecordSequence, Timestamp,
    TopicName,
};
use thalweg_runtime::{Client, Engine, EngineOptions};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Records that each thread appends.
const RECORDS: u64 = 10_000;

fn main() -> Outcome<()> {
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("embedded-data"), PathBuf::from);
    run(&path, EngineOptions { shards: Some(2), ..EngineOptions::default() })
}

/// Opens the data folder `path`, uses it in every way, and closes it.
pub(crate) fn run(path: &Path, options: EngineOptions) -> Outcome<()> {
    let engine = Engine::open(path, options)?;
    let client = engine.client();
    let events = open_topic(&client, "events", 2)?;
    std::thread::scope(|scope| -> Outcome<()> {
        let append = |partition| append_numbers(&client, partition);
        let threads: Vec<_> =
            events.partitions.iter().map(|partition| scope.spawn(move || append(partition))).collect();
        for (index, thread) in threads.into_iter().enumerate() {
            let base = thread.join().expect("the thread does not panic")?;
            println!("partition {index}: {RECORDS} records from offset {base} on are durable");
        }
        Ok(())
    })?;
    for (index, partition) in events.partitions.iter().enumerate() {
        let (records, sum) = sum_from_thread(&client, partition)?;
        println!("partition {index}, read by a thread: {records} records, sum {sum}");
    }
    for (shard, records) in count_on_shards(&engine, &events)? {
        println!("shard {shard}, counted next to the data: {records} records");
    }
    engine.close()?;
    Ok(())
}

fn open_topic(client: &Client, name: &str, partitions: u32) -> Outcome<Topic> {
    let name = TopicName::new(name)?;
    match client.topic(&name)? {
        Some(topic) => Ok(topic),
        None => Ok(client.create_topic(&name, partitions, TopicSettings::default())?),
    }
}

/// Appends as an idempotent producer: a batch that is sent again, after an answer was lost, is there once.
/// Returns the offset of the first record.
fn append_numbers(client: &Client, partition: &Partition) -> Outcome<Offset> {
    let producer = client.producer_id()?;
    let mut batch = BatchBuilder::new();
    let mut answers = Vec::new();
    for number in 0..RECORDS {
        batch.push(Timestamp(0), None, Some(&number.to_be_bytes()), &[])?;
        if batch.count() == 1000 {
            let sequence = RecordSequence((number + 1) as u32 - batch.count());
            batch.set_producer(Some(ProducerStamp { id: producer, epoch: ProducerEpoch(0), sequence }));
            // Batches may be under way at once; a log writes and flushes them together.
            answers.push(client.append(partition, batch.finish().to_vec()));
            batch.clear();
        }
    }
    let mut first = None;
    for answer in answers {
        let appended = answer.wait()??;
        first = first.or(Some(appended.base));
    }
    Ok(first.expect("there was a batch"))
}

/// Reads a partition from a thread: records and the sum of their numbers.
fn sum_from_thread(client: &Client, partition: &Partition) -> Outcome<(u64, u64)> {
    let bounds = client.bounds(partition)?;
    let (mut next, mut records, mut sum) = (bounds.start, 0, 0);
    while next < bounds.end {
        for batch in client.read(partition, next, 1 << 20, Duration::ZERO)? {
            for record in BatchView::parse(&batch.bytes)?.iter() {
                let number = record.value.ok_or("a record without value")?;
                sum += u64::from_be_bytes(number.try_into()?);
                records += 1;
            }
            next = batch.base + RecordCount(u64::from(batch.count));
        }
    }
    Ok((records, sum))
}

/// Counts on every shard what its own partitions hold, without a copy.
fn count_on_shards(engine: &Engine, topic: &Topic) -> Outcome<Vec<(u16, u64)>> {
    let (sender, counts) = flume::unbounded();
    let partitions = topic.partitions.clone();
    engine.on_each_shard(move |shard| {
        let (sender, partitions) = (sender.clone(), partitions.clone());
        async move {
            let mut records = 0;
            for partition in partitions.iter().filter(|partition| partition.shard == shard.shard()) {
                let Ok(bounds) = shard.bounds(partition.id).await else { return };
                let mut next = bounds.start;
                while next < bounds.end {
                    let Ok(batches) = shard.read(partition.id, next, 1 << 20).await else { return };
                    for batch in &batches {
                        next = batch.end();
                        records += u64::from(batch.count());
                    }
                }
            }
            // The program may have given up waiting.
            let _ = sender.send((shard.shard().0, records));
        }
    })?;
    let mut counts: Vec<(u16, u64)> = counts.iter().collect();
    counts.sort_unstable();
    Ok(counts)
}
