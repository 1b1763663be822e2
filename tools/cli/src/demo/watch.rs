//! Reads the counts back from the output topic as they become durable.

use std::time::Duration;

use hdrhistogram::Histogram;
use thalweg_engine::catalog::Topic;
use thalweg_engine::model::{BatchView, Offset, RecordCount};
use thalweg_runtime::Client;

use super::corpus::Counts;
use crate::clock;
use crate::exit::Failure;

/// Bytes of one read.
const READ_SIZE: usize = 1 << 20;

/// The counts as the output topic tells them, and how long they took to get there.
pub(super) struct Watch {
    client: Client,
    topic: Topic,
    next: Vec<Offset>,
    counts: Counts,
    words: u64,
    /// Counts written before this moment belong to an earlier run. Milliseconds since 1970.
    since_ms: i64,
    /// From a line's append to its counts being read here. Microseconds.
    latencies: Histogram<u64>,
}

impl Watch {
    /// Watches `topic` from its beginning; latencies are taken of what was appended from `since_ms` on.
    #[must_use]
    pub(super) fn new(client: Client, topic: Topic, since_ms: i64) -> Self {
        let next = vec![Offset(0); topic.partitions.len()];
        let latencies = super::run::latency_histogram();
        Self { client, topic, next, counts: Counts::default(), words: 0, since_ms, latencies }
    }

    /// Sum of all counts.
    #[must_use]
    pub(super) fn words(&self) -> u64 {
        self.words
    }

    /// Every word with its count.
    #[must_use]
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// From a line's append to its counts being read. Microseconds.
    #[must_use]
    pub(super) fn latencies(&self) -> &Histogram<u64> {
        &self.latencies
    }

    /// Reads what is new; waits up to `wait` for it in one partition at the most. True if there was anything.
    ///
    /// # Errors
    /// A [`Failure`], if the topic cannot be read or holds something that is no count.
    pub(super) fn poll(&mut self, mut wait: Duration) -> Result<bool, Failure> {
        let mut any = false;
        for index in 0..self.next.len() {
            let partition = self.topic.partitions[index];
            let batches = self
                .client
                .read(&partition, self.next[index], READ_SIZE, wait)
                .map_err(|error| Failure::failed(format!("output topic: {error}")))?;
            let now_ms = clock::wall_clock_ms();
            for batch in &batches {
                self.take(batch.base, &batch.bytes, self.next[index], now_ms)?;
                self.next[index] = batch.base + RecordCount(u64::from(batch.count));
                any = true;
            }
            if any {
                wait = Duration::ZERO;
            }
        }
        Ok(any)
    }

    /// Takes the records of one batch that lie at or behind `from`.
    fn take(&mut self, base: Offset, batch: &[u8], from: Offset, now_ms: i64) -> Result<(), Failure> {
        let view =
            BatchView::parse(batch).map_err(|error| Failure::failed(format!("output topic: {error}")))?;
        let skip = from.0.saturating_sub(base.0) as usize;
        for record in view.iter().skip(skip) {
            let count = record.value.and_then(|value| value.try_into().ok()).map(i64::from_be_bytes);
            let (Some(word), Some(count)) = (record.key, count.and_then(|count| u64::try_from(count).ok()))
            else {
                return Err(Failure::failed("the output topic holds a record that is no count"));
            };
            let before = match self.counts.get_mut(word) {
                Some(known) => std::mem::replace(known, count),
                None => {
                    self.counts.insert(word.to_vec(), count);
                    0
                }
            };
            if count <= before {
                let word = String::from_utf8_lossy(word);
                return Err(Failure::failed(format!("the count of '{word}' went from {before} to {count}")));
            }
            self.words += count - before;
            let appended_ms = record.timestamp.0;
            if appended_ms >= self.since_ms {
                self.latencies.saturating_record((now_ms - appended_ms).max(0) as u64 * 1000);
            }
        }
        Ok(())
    }
}
