//! What was tried, what was answered, and what must therefore be found.

use std::collections::{BTreeMap, BTreeSet};

use super::compacted::Compacted;
use thalweg_engine::client::Bounds;
use thalweg_engine::model::{PartitionId, ProducerId};

use super::groups::{GROUPS, Known};

/// Different keys of the records.
pub(super) const KEYS: u64 = 37;

/// One source: a partition that a loader fills and a task reads.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// The loader's producer.
    pub(super) producer: Option<ProducerId>,
    /// Records that were acknowledged.
    pub(super) appended: u64,
    /// Input position whose commit was acknowledged.
    pub(super) processed: u64,
    /// Behind the last record that some sink was seen to hold.
    pub(super) seen: u64,
}

/// One sink: a partition that a reader checks.
#[derive(Debug, Default)]
pub(super) struct Sink {
    /// Offset up to which it was checked.
    pub(super) checked: u64,
    /// For each source, the record that must come next.
    pub(super) next: BTreeMap<usize, u64>,
}

/// A topic that comes and goes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passing {
    pub(super) created: bool,
    pub(super) deletion_tried: bool,
    pub(super) deleted: bool,
}

/// The topic that keeps no more than so many bytes: one partition, one record a batch.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Bytes.
    pub(super) limit: u64,
    pub(super) made: bool,
    /// Records that were acknowledged, or found.
    pub(super) acknowledged: u64,
    /// Highest log start seen.
    pub(super) start: u64,
    /// Bytes of each batch that was tried, by its offset.
    pub(super) sizes: Vec<u64>,
    /// Its timestamp.
    pub(super) stamps: Vec<i64>,
}

impl Kept {
    /// Bytes of the batches in `bounds`.
    pub(super) fn bytes(&self, bounds: Bounds) -> u64 {
        self.sizes[bounds.start.0 as usize..bounds.end.0 as usize].iter().sum()
    }
}

/// The oracle.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) operations: u64,
    pub(super) sources: Vec<Source>,
    pub(super) sinks: Vec<Sink>,
    pub(super) producers: BTreeSet<ProducerId>,
    /// The lasting topics were made, and it was answered.
    pub(super) topics_made: bool,
    pub(super) kept: Kept,
    pub(super) groups: Vec<Known>,
    pub(super) compacted: Compacted,
    pub(super) passing: BTreeMap<String, Passing>,
    /// Partitions of passing topics that may exist, to send records to.
    pub(super) passing_partitions: Vec<PartitionId>,
}

impl Oracle {
    pub(super) fn new(sources: usize, sinks: usize, limit: u64, delay_ms: u64) -> Self {
        Self {
            compacted: Compacted { delay_ms, ..Compacted::default() },
            kept: Kept { limit, ..Kept::default() },
            sources: (0..sources).map(|_| Source::default()).collect(),
            groups: (0..GROUPS).map(|_| Known::default()).collect(),
            sinks: (0..sinks).map(|_| Sink::default()).collect(),
            ..Self::default()
        }
    }

    /// The sink that record `k` of any source goes to.
    pub(super) fn sink_of(&self, k: u64) -> usize {
        (k / 3 % self.sinks.len() as u64) as usize
    }

    /// The first record at or behind `k` that goes to `sink`.
    pub(super) fn first_for(&self, sink: usize, k: u64) -> u64 {
        (k..).find(|k| self.sink_of(*k) == sink).expect("every sink is given records")
    }

    /// Takes in that `sink` holds record `k` of `source` next.
    pub(super) fn found(&mut self, sink: usize, source: usize, k: u64) {
        let first = self.first_for(sink, 0);
        let expected = *self.sinks[sink].next.get(&source).unwrap_or(&first);
        assert_eq!(k, expected, "sink {sink} holds record {k} of source {source}");
        let next = self.first_for(sink, k + 1);
        self.sinks[sink].next.insert(source, next);
        let seen = &mut self.sources[source].seen;
        *seen = (*seen).max(k + 1);
    }

    /// Whether every record of every source was found in its sink. `ends`: of the sources.
    pub(super) fn all_found(&self, ends: &[u64]) -> bool {
        (0..self.sinks.len()).all(|sink| {
            let first = self.first_for(sink, 0);
            (ends.iter().enumerate())
                .all(|(source, end)| *self.sinks[sink].next.get(&source).unwrap_or(&first) >= *end)
        })
    }

    /// Records with `key` among the first `count` of a source.
    pub(super) fn count_of(key: u64, count: u64) -> u64 {
        (count + KEYS - 1 - key) / KEYS
    }
}
