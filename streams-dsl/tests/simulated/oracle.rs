//! What the words must add up to.

use std::collections::BTreeMap;

use thalweg_engine::model::ProducerId;

/// Partitions of the topic of lines.
pub(crate) const PARTITIONS: usize = 3;

/// Line `number` of partition `partition`: what it says depends on both alone.
pub(crate) fn line(partition: usize, number: u64) -> String {
    let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(partition as u32 * 7);
    let words = mixed >> 61;
    let word = |at: u64| {
        let rank = (mixed >> (at * 7)) % 997;
        // Words of all lengths, also such as do not fit into a slot of the table of changed keys.
        let tail = "long".repeat(rank as usize % 6);
        format!("W{}{tail}", rank * rank / 997)
    };
    (0..words).map(word).collect::<Vec<_>>().join(" \u{e9}-")
}

/// The words of the lines that a topic holds, counted by a plain loop, each line once however often it is asked.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Lines counted of each partition.
    lines: [u64; PARTITIONS],
    pub(crate) counts: BTreeMap<String, i64>,
    pub(crate) total: i64,
}

impl Expected {
    /// Counts on to the first `ends[p]` lines of each partition `p`. Ends are committed, so they never fall.
    pub(crate) fn advance(&mut self, ends: [u64; PARTITIONS]) {
        for (partition, (counted, end)) in self.lines.iter_mut().zip(ends).enumerate() {
            assert!(*counted <= end, "partition {partition} had {counted} lines and has {end}");
            for number in *counted..end {
                let text = line(partition, number).to_ascii_lowercase();
                for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
                    if !word.is_empty() {
                        *self.counts.entry(word.to_owned()).or_insert(0) += 1;
                        self.total += 1;
                    }
                }
            }
            *counted = end;
        }
    }
}

/// What was answered, and what was seen.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) operations: u64,
    pub(crate) producers: [Option<ProducerId>; PARTITIONS],
    /// Lines acknowledged in each partition.
    pub(crate) appended: [u64; PARTITIONS],
    /// The latest count of each word, by the records of the sink.
    pub(crate) latest: BTreeMap<String, i64>,
    /// The sum of `latest`.
    pub(crate) seen: i64,
    /// What `latest` must come to.
    pub(crate) expected: Expected,
    /// The next record of each partition of the sink to look at.
    pub(crate) checked: BTreeMap<usize, u64>,
}

impl Oracle {
    /// Takes in a record of the sink. An output that was made twice, or made from an input that was counted
    /// twice or lost, shows as a count that does not grow or, at the end, as a wrong one.
    pub(crate) fn saw(&mut self, word: &str, count: i64) {
        let before = self.latest.insert(word.to_owned(), count);
        assert!(before.is_none_or(|before| before < count), "{word}: {before:?}, then {count}");
        self.seen += count - before.unwrap_or(0);
    }
}
