//! Words per second of the word-count topology in memory, beside plain Rust on the same text in the same run.
//!
//! Five rounds, alternated; every round is printed. The pipeline counts lines of native batches through both
//! sub-topologies, repartition topic included, with a commit every `BATCHES_PER_COMMIT` batches; the plain loop
//! counts the same lines with `hashbrown`.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use thalweg_engine::model::{BatchBuilder, BatchView, Timestamp};
use thalweg_streams::serdes::{Bytes, I64, Serde};
use thalweg_streams::{StreamsBuilder, TestDriver, Topology, words};

const ROUNDS: usize = 5;
const BATCHES: usize = 128;
const BATCH_SIZE: usize = 1 << 20;
const BATCHES_PER_COMMIT: usize = 8;

/// A counter of bytes in words: letters, digits and `_` in lower case; zero is anything else.
const LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        if value.is_ascii_alphanumeric() || value == b'_' {
            table[byte] = value.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }
}

/// `distinct` words, of which the `n`th is about `1 / n` as frequent as the first.
struct Vocabulary {
    words: Vec<String>,
    cumulative: Vec<f64>,
}

impl Vocabulary {
    fn new(distinct: usize, random: &mut Random) -> Self {
        let mut sum = 0.0;
        let mut cumulative = Vec::with_capacity(distinct);
        let mut words = Vec::with_capacity(distinct);
        for rank in 0..distinct {
            sum += 1.0 / (rank + 1) as f64;
            cumulative.push(sum);
            // Frequent words are short.
            let length = 2 + (random.next() % 4) as usize + (rank + 1).ilog10() as usize;
            words.push((0..length).map(|_| char::from(b'a' + (random.next() % 26) as u8)).collect());
        }
        Self { words, cumulative }
    }

    fn pick(&self, random: &mut Random) -> &str {
        let total = self.cumulative[self.cumulative.len() - 1];
        let at = (random.next() >> 11) as f64 / (1u64 << 53) as f64 * total;
        &self.words[self.cumulative.partition_point(|sum| *sum <= at).min(self.words.len() - 1)]
    }
}

/// Lines of 26 words, the first of them capitalised, as native batches.
fn batches(distinct: usize) -> Vec<Vec<u8>> {
    let mut random = Random(42);
    let vocabulary = Vocabulary::new(distinct, &mut random);
    let mut builder = BatchBuilder::new();
    (0..BATCHES)
        .map(|_| {
            builder.clear();
            while builder.size() < BATCH_SIZE {
                let mut line = String::new();
                for word in 0..26 {
                    line.push_str(if word == 0 {
                        ""
                    } else {
                        [" ", " ", " ", ", "][(random.next() % 4) as usize]
                    });
                    let word_text = vocabulary.pick(&mut random);
                    if word == 0 {
                        line.push_str(&word_text.to_uppercase())
                    } else {
                        line.push_str(word_text)
                    }
                }
                line.push('.');
                builder.push(Timestamp(1), None, Some(line.as_bytes()), &[]).expect("a line is small");
            }
            builder.finish().to_vec()
        })
        .collect()
}

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let words = builder.stream::<Bytes, Bytes>("lines").flat_map_values(words());
    words.group_by::<Bytes>(|_, word| word).count("counts").to_stream().to("word-counts");
    builder.build("bench").expect("the topology is valid")
}

type Counts = HashMap<Vec<u8>, i64, foldhash::fast::FixedState>;

fn plain(batches: &[Vec<u8>]) -> Counts {
    let mut counts = Counts::default();
    let mut word = Vec::new();
    for batch in batches {
        for record in BatchView::parse_trusted(batch).expect("batches are valid") {
            let value = record.value.unwrap_or_default();
            for byte in value.iter().chain(b" ") {
                match LOWER[usize::from(*byte)] {
                    0 if word.is_empty() => {}
                    0 => {
                        *counts.entry_ref(word.as_slice()).or_insert(0) += 1;
                        word.clear();
                    }
                    lower => word.push(lower),
                }
            }
        }
    }
    counts
}

fn pipeline(batches: &[Vec<u8>]) -> TestDriver {
    let mut driver = TestDriver::new(topology());
    for some in batches.chunks(BATCHES_PER_COMMIT) {
        for batch in some {
            driver.pipe_batch("lines", 0, batch).expect("the topology does not fail");
        }
        driver.commit().expect("the topology does not fail");
    }
    driver
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the real clock")]
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = run();
    (result, begin.elapsed())
}

fn main() {
    for distinct in [14_000, 1_000_000] {
        let batches = batches(distinct);
        let bytes: usize = batches.iter().map(Vec::len).sum();
        println!("{distinct} words to choose from, {BATCHES} batches, {bytes} bytes");
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            let (counts, plain_time) = timed(|| plain(&batches));
            let total: i64 = counts.values().sum();
            let (driver, pipeline_time) = timed(|| pipeline(&batches));
            check(&counts, &driver);
            let rate = |time: Duration| total as f64 / time.as_secs_f64() / 1e6;
            println!(
                "  round {round}: {total} words, {} distinct: plain {:.1} M/s, pipeline {:.1} M/s",
                counts.len(),
                rate(plain_time),
                rate(pipeline_time)
            );
            rates[0].push(rate(plain_time));
            rates[1].push(rate(pipeline_time));
        }
        for (name, rates) in ["plain", "pipeline"].iter().zip(&mut rates) {
            rates.sort_by(f64::total_cmp);
            println!("  {name}: median {:.1} M words/s", rates[ROUNDS / 2]);
        }
    }
}

fn check(counts: &Counts, driver: &TestDriver) {
    let store = driver.store("counts");
    assert_eq!(store.len(), counts.len());
    for (word, count) in store {
        let count = I64::decode(&count, |count| *count).expect("counts are 8 bytes");
        assert_eq!(counts[&word], count);
    }
}
