//! The scenario: the same partitions before and after, beside a file and a log of one's own, in turns.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use thalweg_engine::limits::SEGMENT_SIZE_DEFAULT;
use thalweg_engine::log::LogOptions;

use super::bed::{BATCH_SIZE, Bed, OwnFile};
use super::beside;
use crate::bed::{describe, verdict};
use crate::floor::Turn;
use crate::measure::{Ratio, Series, Stopwatch, Unit, cpu_seconds};
use crate::session::Session;

const SCENARIO: &str = "read_back";

/// What reading a partition may take, in readings of a file of its own.
const RATIO_MAX: f64 = 2.0;

/// Bytes that are read again and again from the tail cache.
const TAIL_BYTES: u64 = 8 << 20;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReadBackArgs {
    /// Partitions that are written side by side
    #[arg(long, value_name = "N", default_value_t = ReadBackArgs::default().partitions,
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    partitions: u32,
    /// What they hold together, in millions of bytes
    #[arg(long, value_name = "MB", default_value_t = ReadBackArgs::default().size,
          value_parser = clap::value_parser!(u64).range(200..=6000))]
    size: u64,
}

impl Default for ReadBackArgs {
    fn default() -> Self {
        Self { partitions: 100, size: 3000 }
    }
}

impl ReadBackArgs {
    /// A tenth of the data.
    pub(crate) fn quick() -> Self {
        Self { size: 300, ..Self::default() }
    }
}

/// Nothing counts as scattered: batches stay where they were written.
fn untouched() -> LogOptions {
    LogOptions { run_size_min: 0, ..LogOptions::default() }
}

/// Scattered batches are moved together at once.
fn regrouping() -> LogOptions {
    LogOptions { regroup_age: Duration::ZERO, regroup_share: 100, ..LogOptions::default() }
}

/// Throughput of two contestants in the same rounds.
struct Pair {
    partition: Series,
    file: Series,
}

impl Pair {
    fn new() -> Self {
        let series = || Series::new(Unit::MegabytesPerSecond);
        Self { partition: series(), file: series() }
    }

    /// How much longer the partition takes than the file.
    fn ratio(&self) -> Ratio {
        Ratio::of(&self.file, &self.partition)
    }

    fn report(&self, session: &mut Session, label: &str, key: &str) {
        self.partition.print(label);
        self.file.print(&format!("{label}: a file of its own"));
        self.ratio().print(&format!("{label}: time / that of the file"));
        session.record(SCENARIO, key, &self.partition);
        session.record(SCENARIO, &format!("{key}_file"), &self.file);
        session.record(SCENARIO, &format!("{key}_per_file"), self.ratio());
    }
}

/// Runs the scenario.
///
/// # Errors
/// The disk's, or the engine's.
pub(crate) fn run(session: &mut Session, args: &ReadBackArgs) -> Result<()> {
    let bytes = args.size * 1_000_000;
    // Journal and store segments at once, and the pools.
    session.require_space(SCENARIO, 3 * bytes + 16 * u64::from(SEGMENT_SIZE_DEFAULT))?;
    println!();
    println!(
        "read-back: one of {} partitions that were written side by side, {} MB in all, in batches of {} KiB; reads of 1 MiB, \
         one at a time",
        args.partitions,
        args.size,
        BATCH_SIZE >> 10
    );
    let folder = session.scratch.join("read-back");
    let share = bytes / u64::from(args.partitions);
    let bed = Bed::make(session, &folder, args.partitions, untouched())?;
    describe(&bed.engine);
    bed.fill(bytes)?;
    let file = OwnFile::make(&bed.engine, &session.scratch.join("read-back-file"), share)?;
    let before = measure(session, &bed, &file, args.partitions)?;
    before.report(session, "as written", "scattered");
    bed.engine.close().context("the engine could not be closed")?;
    let own = measure_own(session, &file, share)?;
    own.report(session, "a log of its own", "own_log");
    let bed = Bed::reopen(session, &folder, regrouping())?;
    let begin = Stopwatch::start();
    let moved = bed.await_quiet()?;
    println!("  moved {:.0} MB within {:.1} s", moved as f64 / 1e6, begin.elapsed().as_secs_f64());
    let after = measure(session, &bed, &file, args.partitions)?;
    after.report(session, "moved together", "regrouped");
    measure_tail(session, &bed)?;
    beside::measure(session, &bed)?;
    bed.engine.close().context("the engine could not be closed")?;
    let ratio = after.ratio().median();
    verdict(
        "one partition moved together",
        &format!("{ratio:.2}"),
        &format!("at most {RATIO_MAX} files of its own"),
        ratio <= RATIO_MAX,
    );
    std::fs::remove_dir_all(&folder).context("the folder could not be removed")
}

/// Each round another partition, and the file before or behind it.
fn measure(session: &Session, bed: &Bed, file: &OwnFile, partitions: u32) -> Result<Pair> {
    let mut pair = Pair::new();
    for round in 0..session.effort.rounds {
        let partition = (round * 37 + 11) % partitions as usize;
        let bytes = |turn: &Turn| turn.bytes;
        if round.is_multiple_of(2) {
            let turn = bed.read(partition)?;
            pair.file.push(file.read(&bed.engine, bytes(&turn))?.megabytes_per_second());
            pair.partition.push(turn.megabytes_per_second());
        } else {
            let size = bytes(&bed.read((partition + 1) % partitions as usize)?);
            pair.file.push(file.read(&bed.engine, size)?.megabytes_per_second());
            pair.partition.push(bed.read(partition)?.megabytes_per_second());
        }
    }
    Ok(pair)
}

/// A log that holds this partition alone.
fn measure_own(session: &Session, file: &OwnFile, share: u64) -> Result<Pair> {
    let folder = session.scratch.join("read-back-own");
    // Nothing of what was just written is in memory.
    let options = LogOptions { cache_bytes: 0, ..untouched() };
    let bed = Bed::make(session, &folder, 1, options)?;
    bed.fill(share)?;
    let pair = measure(session, &bed, file, 1)?;
    bed.engine.close().context("the engine could not be closed")?;
    std::fs::remove_dir_all(&folder).context("the folder could not be removed")?;
    Ok(pair)
}

/// What was just appended is read again and again: none of it from the disk.
fn measure_tail(session: &mut Session, bed: &Bed) -> Result<()> {
    let (mut throughput, mut cpu) =
        (Series::new(Unit::MegabytesPerSecond), Series::new(Unit::CpuSecondsPerGigabyte));
    let mut hits = Series::new(Unit::Ratio);
    for _ in 0..session.effort.rounds {
        let (turn, seconds, share) = bed.read_tail(TAIL_BYTES, session.effort.turn)?;
        throughput.push(turn.megabytes_per_second());
        cpu.push(seconds / (turn.bytes as f64 / 1e9));
        hits.push(share);
    }
    throughput.print("the newest 8 MiB, from the tail cache");
    cpu.print("the newest 8 MiB: processor");
    hits.print("the newest 8 MiB: share of reads that hit");
    session.record(SCENARIO, "tail", &throughput);
    session.record(SCENARIO, "tail_cpu", &cpu);
    Ok(())
}

impl Bed {
    /// Appends `bytes` to the first partition and reads them for `duration`; with the processor's seconds and the share of
    /// reads that the cache answered.
    fn read_tail(&self, bytes: u64, duration: Duration) -> Result<(Turn, f64, f64)> {
        let from = self.append_to_first(bytes)?;
        let (hits, misses) = self.cache_counts()?;
        let before = cpu_seconds();
        let turn = self.read_first_from(from, duration)?;
        let seconds = cpu_seconds() - before;
        let (hits_after, misses_after) = self.cache_counts()?;
        let (hits, misses) = ((hits_after - hits) as f64, (misses_after - misses) as f64);
        Ok((turn, seconds, hits / (hits + misses).max(1.0)))
    }
}
