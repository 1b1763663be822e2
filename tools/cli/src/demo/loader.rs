//! Loads the text into the source topic, once, however often it is killed.
//!
//! Line `l` of the text repeated goes to partition `l mod partitions`, as record `l div partitions`. A
//! partition's loader is an idempotent producer whose sequence is that record number, so that the last batch
//! of a partition tells where its text goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use thalweg_engine::catalog::Partition;
use thalweg_engine::client::{AppendError, Appended};
use thalweg_engine::model::{
    BatchBuilder, Offset, ProducerEpoch, ProducerId, ProducerStamp, RecordCount, RecordSequence, Timestamp,
};
use thalweg_runtime::{Client, Pending};

use super::corpus::Corpus;
use super::pace::Pace;
use crate::clock;
use crate::exit::Failure;

/// A batch is sent when it has this many bytes.
const BATCH_SIZE: usize = 512 << 10;

/// Batches of one partition under way at once.
const BATCHES_IN_FLIGHT: usize = 4;

/// One partition's share of the loading.
pub(super) struct Loader {
    /// For the appends.
    pub(super) client: Client,
    /// What to load.
    pub(super) corpus: Arc<Corpus>,
    /// Where to.
    pub(super) partition: Partition,
    /// Its place in the topic, from 0.
    pub(super) index: u64,
    /// Partitions of the topic.
    pub(super) partitions: u64,
    /// Lines of all copies.
    pub(super) total: u64,
    /// Records of this partition that are acknowledged; the loader counts on.
    pub(super) acknowledged: Arc<AtomicU64>,
    /// Keeps the loader from running far ahead of the counting.
    pub(super) pace: Arc<Pace>,
}

/// Where a partition's text goes on, and who goes on with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resume {
    /// Records that are there.
    pub(super) records: u64,
    /// The producer of the last one.
    pub(super) producer: ProducerId,
}

/// Finds out how far `partition` was loaded.
///
/// # Errors
/// A [`Failure`] that says what could not be read.
pub(super) fn resume(client: &Client, partition: &Partition) -> Result<Resume, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::failed(format!("source topic: {error}"));
    let bounds = client.bounds(partition).map_err(|error| failed(&error))?;
    if bounds.end == Offset(0) {
        let producer = client.producer_id().map_err(|error| failed(&error))?;
        return Ok(Resume { records: 0, producer });
    }
    let last = Offset(bounds.end.0 - 1);
    let batches = client.read(partition, last, 1, Duration::ZERO).map_err(|error| failed(&error))?;
    let batch = batches.last().ok_or_else(|| Failure::failed("the source topic's last batch is missing"))?;
    if batch.producer.0 == u64::MAX {
        return Err(Failure::failed("something else has written into the source topic of this demo"));
    }
    let end = batch.base + RecordCount(u64::from(batch.count));
    Ok(Resume { records: end.0, producer: batch.producer })
}

impl Loader {
    /// Loads the rest of the partition's lines; returns the latencies of the appends. Microseconds.
    ///
    /// # Errors
    /// A [`Failure`], if an append was refused.
    pub(super) fn run(self, from: Resume) -> Result<Histogram<u64>, Failure> {
        let (sent, to_await) = flume::bounded::<Sent>(BATCHES_IN_FLIGHT);
        let acknowledged = Arc::clone(&self.acknowledged);
        let waiter = clock::spawn(move || await_answers(&to_await, &acknowledged));
        let outcome = self.send_all(from, &sent);
        drop(sent);
        let latencies = waiter.join().map_err(|_| Failure::failed("the loader's waiting thread panicked"))?;
        // A refused append explains why nothing more could be sent.
        let latencies = latencies?;
        outcome.map(|()| latencies)
    }

    fn send_all(&self, from: Resume, sent: &flume::Sender<Sent>) -> Result<(), Failure> {
        let mut builder = BatchBuilder::new();
        let mut record = from.records;
        let line_of = |record: u64| record * self.partitions + self.index;
        while line_of(record) < self.total {
            builder.clear();
            builder.set_producer(Some(ProducerStamp {
                id: from.producer,
                epoch: ProducerEpoch(0),
                sequence: RecordSequence((record % u64::from(RecordSequence::MODULUS)) as u32),
            }));
            if !self.pace.wait_until_wanted(line_of(record)) {
                return Ok(());
            }
            let now = Timestamp(clock::wall_clock_ms());
            while builder.size() < BATCH_SIZE && line_of(record) < self.total {
                let line = self.corpus.line(line_of(record));
                let pushed = builder.push(now, None, Some(line), &[]);
                pushed.map_err(|error| Failure::failed(format!("a line was refused: {error}")))?;
                record += 1;
            }
            let batch = builder.finish().to_vec();
            let at = clock::now();
            let answer = self.client.append(&self.partition, batch);
            if sent.send(Sent { answer, at, records: record }).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A batch under way.
struct Sent {
    answer: Pending<Result<Appended, AppendError>>,
    at: Instant,
    /// Records of the partition with this batch.
    records: u64,
}

fn await_answers(sent: &flume::Receiver<Sent>, acknowledged: &AtomicU64) -> Result<Histogram<u64>, Failure> {
    let mut latencies = super::run::latency_histogram();
    for batch in sent {
        let answer = batch.answer.wait().map_err(|error| Failure::failed(error.to_string()))?;
        answer.map_err(|error| Failure::failed(format!("an append was refused: {error}")))?;
        latencies.saturating_record(batch.at.elapsed().as_micros() as u64);
        acknowledged.store(batch.records, Ordering::Relaxed);
    }
    Ok(latencies)
}
