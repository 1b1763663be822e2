//! The scenario: plain memory, the topology in memory, and the topology on the engine, in turns.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use thalweg_engine::log::LogOptions;
use thalweg_runtime::Engine;

use super::durable::{Outcome, run as run_durable, topology};
use super::text::Text;
use super::{count, in_memory, output, source};
use crate::bed::{describe, on_shard, open, verdict};
use crate::measure::{Latencies, Ratio, Series, Stopwatch, Unit, cpu_seconds};
use crate::session::Session;

const SCENARIO: &str = "word_count";

/// The topic that is counted.
const SOURCE: &str = "lines";

/// Copies that are counted in memory: enough to measure, few enough to hold.
const MEMORY_COPIES_MAX: usize = 20;

/// Millions of words per second that are asked for, and that are aimed at.
const RATE_MIN: f64 = 10.0;
const RATE_AIM: f64 = 20.0;

/// The log beside the source: outputs, changes of state, the pool. Bytes.
const BESIDE_SOURCE_BYTES: u64 = 3 << 30;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub(crate) struct WordCountArgs {
    /// Text to count, a record for each line [default: a generated one, words drawn by Zipf's law]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Different words that the generated text draws from
    #[arg(long, value_name = "N", default_value_t = WordCountArgs::default().distinct, conflicts_with = "text",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    distinct: u64,
    /// Copies of the text in the source topic
    #[arg(long, value_name = "N", default_value_t = WordCountArgs::default().copies,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) copies: u64,
    /// Longest time between two commits, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = WordCountArgs::default().commit_interval_ms,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    commit_interval_ms: u64,
}

impl Default for WordCountArgs {
    fn default() -> Self {
        Self { text: None, distinct: 14_000, copies: 100, commit_interval_ms: 100 }
    }
}

/// All rounds.
struct Rounds {
    plain: Series,
    in_memory: Series,
    durable: Series,
    plain_cpu: Series,
    in_memory_cpu: Series,
    durable_cpu: Series,
    commits: Series,
    outputs: Series,
    commit_time_max: Series,
    end_to_end_p99: Series,
    end_to_end: Latencies,
}

/// Runs the scenario.
///
/// # Errors
/// The engine's, or that a count is wrong.
pub(crate) fn run(session: &mut Session, args: &WordCountArgs) -> Result<()> {
    let text = Text::load(args.text.as_deref(), args.distinct as usize)?;
    let copies = args.copies as usize;
    session.require_space(SCENARIO, text.size() * args.copies / 10 * 11 + BESIDE_SOURCE_BYTES)?;
    println!();
    println!(
        "word-count: {} copies of {}: {} words in {} lines each, {} different words; commits at most {} ms apart",
        copies,
        text.name,
        text.words(),
        text.lines,
        text.counts.len(),
        args.commit_interval_ms
    );
    let folder = session.scratch.join("word-count");
    let engine = open(&folder, session.engine, LogOptions::default())?;
    describe(&engine);
    let loading = Stopwatch::start();
    source::load(&engine, SOURCE, &text, copies).context("loading the source topic")?;
    let megabytes = (text.size() * args.copies) as f64 / 1e6;
    println!("  loaded {megabytes:.0} MB in {:.1} s", loading.elapsed().as_secs_f64());
    let mut rounds = Rounds::new();
    for round in 0..session.effort.rounds {
        rounds.push_memory(&text, copies)?;
        rounds.push_durable(&engine, &text, args, round)?;
    }
    engine.close().context("the engine could not be closed")?;
    let engine = open(&folder, session.engine, LogOptions::default()).context("reopening")?;
    for round in 0..session.effort.rounds {
        output::check(&engine, &sink(round), &text.counts, args.copies)?;
    }
    println!("  every count of every round is right, read back from the output topics after reopening");
    engine.close().context("the engine could not be closed")?;
    rounds.report(session);
    std::fs::remove_dir_all(&folder).context("the folder could not be removed")
}

fn sink(round: usize) -> String {
    format!("counts-{round}")
}

/// Millions of words per second. A time too short to be seen counts as a tick of the kernel's.
fn rate(words: u64, seconds: f64) -> f64 {
    words as f64 / 1e6 / seconds.max(0.01)
}

/// What something costs in time and in processor time.
struct Cost {
    watch: Stopwatch,
    cpu_before: f64,
}

impl Cost {
    fn start() -> Self {
        Self { watch: Stopwatch::start(), cpu_before: cpu_seconds() }
    }

    fn end(self, words: u64, rates: &mut Series, cpu_rates: &mut Series) {
        rates.push(rate(words, self.watch.elapsed().as_secs_f64()));
        cpu_rates.push(rate(words, cpu_seconds() - self.cpu_before));
    }
}

impl Rounds {
    fn new() -> Self {
        let rate = || Series::new(Unit::MillionWordsPerSecond);
        let cpu_rate = || Series::new(Unit::MillionWordsPerCpuSecond);
        let milliseconds = || Series::new(Unit::Milliseconds);
        Self {
            plain: rate(),
            in_memory: rate(),
            durable: rate(),
            plain_cpu: cpu_rate(),
            in_memory_cpu: cpu_rate(),
            durable_cpu: cpu_rate(),
            commits: Series::new(Unit::Count),
            outputs: Series::new(Unit::Count),
            commit_time_max: milliseconds(),
            end_to_end_p99: milliseconds(),
            end_to_end: Latencies::default(),
        }
    }

    fn push_memory(&mut self, text: &Text, copies: usize) -> Result<()> {
        let copies = copies.min(MEMORY_COPIES_MAX);
        let words = text.words() * copies as u64;
        let plain = Cost::start();
        let counts = count::count_batches(&text.batches, copies);
        plain.end(words, &mut self.plain, &mut self.plain_cpu);
        ensure!(counts.values().sum::<u64>() == words, "plain counting counts everything");
        let topology = topology("in-memory", SOURCE, "counts")?;
        let in_memory = Cost::start();
        let driver = in_memory::run(topology, SOURCE, &text.batches, copies)?;
        in_memory.end(words, &mut self.in_memory, &mut self.in_memory_cpu);
        let store = driver.store("counts");
        ensure!(store.len() == counts.len(), "the topology in memory finds every word");
        for (word, count) in store {
            let expected = counts.get(&word).copied().unwrap_or(0);
            ensure!(
                count == expected.to_be_bytes(),
                "the topology in memory counts '{}' right",
                word.escape_ascii()
            );
        }
        Ok(())
    }

    fn push_durable(
        &mut self,
        engine: &Engine,
        text: &Text,
        args: &WordCountArgs,
        round: usize,
    ) -> Result<()> {
        let topology = Arc::new(topology(&format!("word-count-{round}"), SOURCE, &sink(round))?);
        let commit_interval = Duration::from_millis(args.commit_interval_ms);
        let cpu_before = cpu_seconds();
        let outcome =
            on_shard(engine, move |client| run_durable(client, Arc::clone(&topology), commit_interval))??;
        let Outcome { elapsed, commits, outputs, commit_time_max, end_to_end } = outcome;
        let words = text.words() * args.copies;
        self.durable.push(rate(words, elapsed.as_secs_f64()));
        self.durable_cpu.push(rate(words, cpu_seconds() - cpu_before));
        self.commits.push(commits as f64);
        self.outputs.push(outputs as f64);
        self.commit_time_max.push(commit_time_max.as_secs_f64() * 1e3);
        self.end_to_end_p99.push(end_to_end.quantile_us(0.99) / 1e3);
        self.end_to_end.merge(&end_to_end);
        Ok(())
    }

    fn report(&self, session: &mut Session) {
        for (label, key, series) in [
            ("durable, exactly once, topic to topic", "durable", &self.durable),
            ("the topology in memory", "in_memory", &self.in_memory),
            ("plain memory", "plain", &self.plain),
            ("durable, by processor time", "durable_cpu", &self.durable_cpu),
            ("the topology in memory, by processor time", "in_memory_cpu", &self.in_memory_cpu),
            ("plain memory, by processor time", "plain_cpu", &self.plain_cpu),
            ("commits", "commits", &self.commits),
            ("outputs", "outputs", &self.outputs),
            ("longest commit", "commit_time_max", &self.commit_time_max),
            ("end to end, p99", "end_to_end_p99", &self.end_to_end_p99),
        ] {
            series.print(label);
            session.record(SCENARIO, key, series);
        }
        self.end_to_end.summary().print("end to end, all rounds");
        session.record(SCENARIO, "end_to_end_all", self.end_to_end.summary());
        for (label, key, other) in [
            ("durable / in memory", "durable_per_in_memory", &self.in_memory),
            ("durable / plain memory", "durable_per_plain", &self.plain),
        ] {
            let ratio = Ratio::of(&self.durable, other);
            ratio.print(label);
            session.record(SCENARIO, key, &ratio);
        }
        let median = self.durable.median();
        let target = format!("at least {RATE_MIN} M words/s, aim {RATE_AIM}");
        verdict("durable word count", &format!("{median:.1} M words/s"), &target, median >= RATE_MIN);
    }
}
