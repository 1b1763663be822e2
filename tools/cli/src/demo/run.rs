//! One run of the demo.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;
use thalweg_engine::catalog::{CatalogError, Topic, TopicSettings};
use thalweg_engine::model::TopicName;
use thalweg_runtime::{Client, Engine};
use thalweg_streams::runner::RunnerOptions;
use thalweg_streams::serdes::Bytes;
use thalweg_streams::{StreamsBuilder, Topology, TopologyError, words};

use super::corpus::{Corpus, Counts};
use super::loader::{Loader, Resume, resume};
use super::pace::Pace;
use super::progress::{Position, Progress};
use super::report::{Latency, Report};
use super::watch::Watch;
use crate::clock;
use crate::exit::{ExitCode, Failure};
use crate::session;
use crate::signal::Interrupt;
use crate::topologies::{Running, Totals};

/// Lines that are loaded ahead of the counting, in bytes of text.
const LEAD_SIZE: u64 = 8 << 20;

/// Longest time without any progress before the demo gives up.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// Longest wait for new counts before the progress is looked at again.
const POLL_WAIT: Duration = Duration::from_millis(20);

/// Latencies up to this are told apart. Microseconds.
const LATENCY_MAX_US: u64 = 3_600_000_000;

/// An empty histogram of microseconds, with three significant digits.
///
/// # Panics
/// Never: the bounds are sound.
#[must_use]
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("the bounds are sound")
}

/// What to count, and how to show it.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The text.
    pub corpus: Arc<Corpus>,
    /// How often it is read.
    pub copies: u32,
    /// Words in the report's list.
    pub top: usize,
    /// Longest time between two commits of the topology.
    pub commit_interval: Duration,
    /// Shortest time between two lines of progress.
    pub progress_interval: Duration,
}

/// The demo's topics. Their names carry the text's fingerprint, so that a folder can hold several demos.
struct Topics {
    source: Topic,
    counts: Topic,
}

/// What happens while the demo runs.
struct Run<'a> {
    demo: &'a Demo,
    running: Running,
    source: Topic,
    pace: Arc<Pace>,
    acknowledged: Vec<Arc<AtomicU64>>,
    loaders: Vec<JoinHandle<Result<Histogram<u64>, Failure>>>,
    watch: Watch,
}

impl Demo {
    /// Loads and counts until every word of every copy is counted, and checks the counts.
    ///
    /// # Errors
    /// A [`Failure`]: a refused append, a topology that stopped, an interrupt.
    pub fn run(&self, engine: &Engine, interrupt: &Interrupt) -> Result<Report, Failure> {
        let expected = self.corpus.count();
        if expected.is_empty() {
            return Err(Failure::new(ExitCode::Usage, super::CorpusError::Empty.to_string()));
        }
        let words_expected = expected.values().sum::<u64>() * u64::from(self.copies);
        let client = engine.client();
        let topics = self.topics(&client, engine.info().shards)?;
        let total = self.corpus.line_count() * u64::from(self.copies);
        let resumed: Vec<Resume> =
            topics.source.partitions.iter().map(|p| resume(&client, p)).collect::<Result<_, _>>()?;
        let started_ms = clock::wall_clock_ms();
        let mut watch = Watch::new(client.clone(), topics.counts.clone(), started_ms);
        while watch.poll(Duration::ZERO)? {}
        let words_before = watch.words();
        let name = format!("demo-{:08x}", self.corpus.fingerprint());
        let topology = topology(&name).map_err(|error| Failure::failed(error.to_string()))?;
        let options = RunnerOptions { commit_interval: self.commit_interval, ..RunnerOptions::default() };
        let running = Running::start(engine, topology, options)?;
        let started = clock::now();
        let mut run = Run::start(self, running, &client, topics.source, &resumed, total, watch);
        let outcome = run.until_counted(words_expected, total, interrupt);
        let seconds = started.elapsed().as_secs_f64();
        let (appends, watch, commits) = run.stop(outcome)?;
        let verified = is_multiple(watch.counts(), &expected, u64::from(self.copies));
        let words_this_run = watch.words() - words_before;
        Ok(Report {
            text: self.corpus.name().to_owned(),
            copies: self.copies,
            words: watch.words(),
            distinct: watch.counts().len() as u64,
            top: top(watch.counts(), self.top),
            verified,
            words_this_run,
            seconds,
            words_per_s: words_this_run as f64 / seconds,
            append: Latency::from(&appends),
            end_to_end: Latency::from(watch.latencies()),
            commits,
            shards: engine.info().shards,
            device: engine.info().device.name.clone(),
            flush_method: session::flush_name(engine.info().flush).to_owned(),
            data: engine.info().path.display().to_string(),
        })
    }

    /// The demo's topics, made if they do not exist: one partition of lines per shard.
    fn topics(&self, client: &Client, shards: u16) -> Result<Topics, Failure> {
        let fingerprint = self.corpus.fingerprint();
        let topic = |suffix: &str| {
            let name = session::topic_name(&format!("demo-{fingerprint:08x}-{suffix}"))?;
            open_topic(client, &name, u32::from(shards))
        };
        Ok(Topics { source: topic("lines")?, counts: topic("counts")? })
    }
}

fn open_topic(client: &Client, name: &TopicName, partitions: u32) -> Result<Topic, Failure> {
    let known = client.topic(name).map_err(|error| Failure::failed(error.to_string()))?;
    match known {
        Some(topic) => Ok(topic),
        None => client
            .create_topic(name, partitions, TopicSettings::default())
            .map_err(|error: CatalogError| session::catalog_failure(&error)),
    }
}

/// The word count, on the topics of the demo called `name`.
fn topology(name: &str) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    builder
        .stream::<Bytes, Bytes>(&format!("{name}-lines"))
        .flat_map_values(words())
        .group_by::<Bytes>(|_, word| word)
        .count("counts")
        .to_stream()
        .to(&format!("{name}-counts"));
    builder.build(name)
}

impl<'a> Run<'a> {
    fn start(
        demo: &'a Demo,
        running: Running,
        client: &Client,
        source: Topic,
        resumed: &[Resume],
        total: u64,
        watch: Watch,
    ) -> Self {
        let line_size = (demo.corpus.size() / demo.corpus.line_count()).max(1);
        let pace = Arc::new(Pace::new(LEAD_SIZE / line_size));
        let acknowledged: Vec<Arc<AtomicU64>> =
            resumed.iter().map(|resume| Arc::new(AtomicU64::new(resume.records))).collect();
        let loaders = resumed.iter().enumerate().map(|(index, from)| {
            let loader = Loader {
                client: client.clone(),
                corpus: Arc::clone(&demo.corpus),
                partition: source.partitions[index],
                index: index as u64,
                partitions: source.partitions.len() as u64,
                total,
                acknowledged: Arc::clone(&acknowledged[index]),
                pace: Arc::clone(&pace),
            };
            let from = *from;
            clock::spawn(move || loader.run(from))
        });
        let loaders = loaders.collect();
        Self { demo, running, source, pace, acknowledged, loaders, watch }
    }

    /// Watches until every word is counted.
    fn until_counted(&mut self, words: u64, total: u64, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut progress = Progress::start(self.demo.progress_interval);
        let (mut last, mut moved) = (Position::default(), clock::now());
        loop {
            self.watch.poll(POLL_WAIT)?;
            let totals = self.running.totals();
            let position = self.position(&totals, total);
            self.pace.committed(position.committed);
            if self.watch.words() >= words && position.committed >= total {
                progress.finish(position);
                return Ok(());
            }
            progress.show(position);
            if interrupt.is_requested() {
                return Err(Failure::new(ExitCode::Interrupted, "interrupted"));
            }
            if let Some(failure) = self.running.failure(&totals) {
                return Err(failure);
            }
            if self.loaders.iter().any(JoinHandle::is_finished) && position.source < total {
                self.check_loaders()?;
            }
            if position != last {
                (last, moved) = (position, clock::now());
            } else if moved.elapsed() > STALL_LIMIT {
                let seconds = STALL_LIMIT.as_secs();
                return Err(Failure::failed(format!("nothing has moved for {seconds} s at {position:?}")));
            }
        }
    }

    /// A loader that has ended early says why.
    fn check_loaders(&mut self) -> Result<(), Failure> {
        for index in (0..self.loaders.len()).rev() {
            if self.loaders[index].is_finished() {
                let ended = self.loaders.swap_remove(index);
                let latencies = join(ended)?;
                // It was done with its share: its latencies still belong into the report.
                self.loaders.push(clock::spawn(move || Ok(latencies)));
            }
        }
        Ok(())
    }

    fn position(&self, totals: &Totals, total: u64) -> Position {
        let source = self.acknowledged.iter().map(|records| records.load(Ordering::Relaxed)).sum();
        let committed = totals.committed(self.source.name.as_str());
        Position { source, committed, total, words: self.watch.words() }
    }

    /// Ends the loading and the counting; the first failure counts.
    fn stop(mut self, outcome: Result<(), Failure>) -> Result<(Histogram<u64>, Watch, u64), Failure> {
        self.pace.stop();
        let mut appends = latency_histogram();
        let mut failure = outcome.err();
        for loader in self.loaders.drain(..) {
            match join(loader) {
                Ok(latencies) => appends.add(latencies).expect("the bounds are the same"),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let commits = self.running.totals().commits();
        if let Err(error) = self.running.stop() {
            failure = failure.or(Some(error));
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok((appends, self.watch, commits)),
        }
    }
}

fn join(loader: JoinHandle<Result<Histogram<u64>, Failure>>) -> Result<Histogram<u64>, Failure> {
    loader.join().unwrap_or_else(|_| Err(Failure::failed("a loader's thread panicked")))
}

/// Whether `counts` are those of `expected`, each times `factor`, and no others.
fn is_multiple(counts: &Counts, expected: &Counts, factor: u64) -> bool {
    counts.len() == expected.len()
        && expected.iter().all(|(word, count)| counts.get(word) == Some(&(count * factor)))
}

/// The `limit` most frequent words; ties by the word's bytes.
fn top(counts: &Counts, limit: usize) -> Vec<(String, u64)> {
    let mut all: Vec<(&Vec<u8>, u64)> = counts.iter().map(|(word, count)| (word, *count)).collect();
    all.sort_by(|(word_a, a), (word_b, b)| b.cmp(a).then_with(|| word_a.cmp(word_b)));
    all.truncate(limit);
    all.into_iter().map(|(word, count)| (String::from_utf8_lossy(word).into_owned(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(word, count)| (word.as_bytes().to_vec(), *count)).collect()
    }

    #[test]
    fn the_top_is_by_count_and_then_by_word() {
        let counts = counts(&[("b", 2), ("a", 2), ("c", 9), ("d", 1)]);
        let top = top(&counts, 3);
        assert_eq!(top, [("c".to_owned(), 9), ("a".to_owned(), 2), ("b".to_owned(), 2)]);
    }

    #[test]
    fn counts_are_verified_word_by_word() {
        let expected = counts(&[("a", 2), ("b", 1)]);
        assert!(is_multiple(&counts(&[("a", 6), ("b", 3)]), &expected, 3));
        assert!(!is_multiple(&counts(&[("a", 6), ("b", 4)]), &expected, 3));
        assert!(!is_multiple(&counts(&[("a", 6), ("c", 3)]), &expected, 3));
        assert!(!is_multiple(&counts(&[("a", 6), ("b", 3), ("c", 1)]), &expected, 3));
    }

    #[test]
    fn the_topology_of_the_demo_is_sound() {
        let topology = topology("demo-00000000").unwrap();
        assert!(topology.describe().contains("demo-00000000-lines"));
    }
}
