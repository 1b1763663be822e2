//! The scenario: the floor and every kind of append in turns, on one engine whose pool is ready each time.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use thalweg_engine::catalog::{Partition, TopicSettings};
use thalweg_engine::io::DiskError;
use thalweg_engine::limits::SEGMENT_SIZE_DEFAULT;
use thalweg_engine::log::LogOptions;
use thalweg_engine::model::TopicName;
use thalweg_runtime::Engine;

use super::append_turn;
use super::lane::{From, Lane};
use crate::bed::{batch_of_size, describe, make_room, on_shard, open, verdict};
use crate::floor::{LARGE_WRITE_SIZES, Method, Target, Turn};
use crate::measure::{Ratio, Series, Stopwatch, Unit, cpu_seconds};
use crate::session::Session;

const SCENARIO: &str = "append";

/// Records of larger batches have this size. Bytes.
const RECORD_SIZE: usize = 1 << 10;

/// Segments that stay ready when a turn ends, so that none is made during it.
const SEGMENTS_LEFT: usize = 2;

/// The share of the floor that appends have to reach.
const SHARE_MIN: f64 = 0.9;

/// Batch size in bytes, and tasks that append.
#[rustfmt::skip]
const TASK_LANES: [(usize, usize); 11] = [
    (1 << 10, 1), (1 << 10, 64), (1 << 10, 512),
    (16 << 10, 1), (16 << 10, 16), (16 << 10, 128),
    (64 << 10, 64),
    (256 << 10, 1), (256 << 10, 8),
    (1 << 20, 1), (1 << 20, 4),
];

/// Batch size in bytes, and appends under way, of the thread's lanes.
const THREAD_LANES: [(usize, usize); 2] = [(64 << 10, 64), (256 << 10, 16)];

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub(crate) struct AppendArgs {
    /// Segments of 64 MiB that are ready before every turn; a turn ends early before they run out
    #[arg(long, value_name = "N", default_value_t = AppendArgs::default().segments,
          value_parser = clap::value_parser!(u64).range(4..=64))]
    segments: u64,
    /// Only appends of batches of this size, in KiB
    #[arg(long, value_name = "KIB")]
    batch_size: Option<usize>,
    /// Writes that the log has in flight at once
    #[arg(long, value_name = "N", default_value_t = AppendArgs::default().writes_in_flight)]
    writes_in_flight: usize,
}

impl Default for AppendArgs {
    fn default() -> Self {
        Self { segments: 16, batch_size: None, writes_in_flight: LogOptions::default().writes_in_flight }
    }
}

/// The engine, and where to append.
struct Bed {
    engine: Engine,
    partition: Partition,
    segments: usize,
    /// As large as all the segments that are ready, so that the device sees as much space from both.
    floor_file: PathBuf,
    /// Where the floor goes on.
    floor_position: Cell<u64>,
}

/// Runs the scenario.
///
/// # Errors
/// The disk's, or the engine's.
pub(crate) fn run(session: &mut Session, args: &AppendArgs) -> Result<()> {
    let segments = args.segments as usize;
    // Those ready, as many in use until they are recycled, and a few for the catalog and checkpoints.
    let held = (3 * args.segments + 8) * u64::from(SEGMENT_SIZE_DEFAULT);
    session.require_space(SCENARIO, held)?;
    let bed = Bed::make(session, segments, args.writes_in_flight)?;
    println!();
    println!(
        "append: durable, {segments} segments ready; the floor is the best of one durable write at a time, 128 KiB to \
         1 MiB"
    );
    describe(&bed.engine);
    let mut lanes = lanes(args.batch_size)?;
    let mut floors = Floors::new();
    for round in 0..session.effort.rounds {
        let half = lanes.len() / 2;
        let (before, behind) = lanes.split_at_mut(half);
        // The floor is taken amid the appends; which of them come first changes from round to round.
        let (first, second) = if round.is_multiple_of(2) { (before, behind) } else { (behind, before) };
        bed.run_lanes(first, session.effort.turn)?;
        floors.push(&bed, session.effort.turn)?;
        bed.run_lanes(second, session.effort.turn)?;
    }
    let dry = on_shard(&bed.engine, |client| async move { client.log_status().rolls_dry })?;
    report(session, &lanes, &floors, dry);
    bed.engine.close().context("the engine could not be closed")?;
    Ok(())
}

/// All lanes, or those with batches of so many KiB.
fn lanes(batch_size: Option<usize>) -> Result<Vec<Lane>> {
    let from_tasks = TASK_LANES.iter().map(|&(size, tasks)| (From::Tasks, size, tasks));
    let from_thread = THREAD_LANES.iter().map(|&(size, under_way)| (From::Thread, size, under_way));
    let is_asked_for = |size: usize| batch_size.is_none_or(|asked| asked << 10 == size);
    let lanes: Vec<Lane> = (from_tasks.chain(from_thread))
        .filter(|&(_, size, _)| is_asked_for(size))
        .map(|(from, size, concurrency)| Lane::new(from, size, concurrency))
        .collect();
    ensure!(!lanes.is_empty(), "no lane has batches of that size: 1, 16, 64, 256 and 1024 KiB");
    Ok(lanes)
}

impl Bed {
    fn make(session: &Session, segments: usize, writes_in_flight: usize) -> Result<Self> {
        let floor_file = session.scratch.join("append-floor");
        let options = LogOptions { pool_target: segments, writes_in_flight, ..LogOptions::default() };
        let engine = open(&session.scratch.join("append"), session.engine, options)?;
        let name = TopicName::new("append").expect("a valid name");
        let partition = engine.client().create_topic(&name, 1, TopicSettings::default())?.partitions[0];
        let path = floor_file.clone();
        let floor_size = segments as u64 * u64::from(SEGMENT_SIZE_DEFAULT);
        on_shard(&engine, move |client| {
            let path = path.clone();
            async move { Target::fill(client.runtime(), &path, floor_size).await }
        })?
        .context("the floor's file could not be written")?;
        Ok(Self { engine, partition, segments, floor_file, floor_position: Cell::new(0) })
    }

    fn run_lanes(&self, lanes: &mut [Lane], duration: Duration) -> Result<()> {
        for lane in lanes {
            self.make_room()?;
            let cpu_before = cpu_seconds();
            let turn = match lane.from {
                From::Tasks => self.append_from_tasks(lane.batch_size, lane.concurrency, duration),
                From::Thread => self.append_from_thread(lane.batch_size, lane.concurrency, duration),
            };
            let turn = turn.with_context(|| lane.label())?;
            lane.push(&turn, cpu_seconds() - cpu_before);
        }
        Ok(())
    }

    /// Bytes that may be appended before a segment has to be made.
    fn bytes_max(&self) -> u64 {
        // A tenth for headers, directories and the rest of a segment that a frame did not fit into.
        (self.segments - SEGMENTS_LEFT) as u64 * u64::from(SEGMENT_SIZE_DEFAULT) / 10 * 9
    }

    fn make_room(&self) -> Result<()> {
        let (partition, segments) = (self.partition.id, self.segments);
        on_shard(&self.engine, move |client| async move { make_room(&client, partition, segments).await })?
    }

    fn append_from_tasks(&self, batch_size: usize, tasks: usize, duration: Duration) -> Result<Turn> {
        let (partition, bytes_max) = (self.partition.id, self.bytes_max());
        let turn = on_shard(&self.engine, move |client| async move {
            let batch = Rc::new(batch_of_size(batch_size, RECORD_SIZE));
            append_turn(&client, partition, batch, tasks, duration, bytes_max).await
        })?;
        Ok(turn?)
    }

    fn append_from_thread(&self, batch_size: usize, under_way: usize, duration: Duration) -> Result<Turn> {
        let client = self.engine.client();
        let batch = batch_of_size(batch_size, RECORD_SIZE);
        let begin = Stopwatch::start();
        let mut pending = VecDeque::with_capacity(under_way);
        let (mut turn, mut started) = (Turn::default(), 0);
        loop {
            let goes_on = begin.elapsed() < duration && started < self.bytes_max();
            if goes_on && pending.len() < under_way {
                pending.push_back((Stopwatch::start(), client.append(&self.partition, batch.clone())));
                started += batch.len() as u64;
                continue;
            }
            let Some((operation_begin, append)) = pending.pop_front() else { break };
            append.wait()??;
            turn.latencies.record(operation_begin.elapsed());
            turn.bytes += batch.len() as u64;
        }
        turn.elapsed = begin.elapsed();
        Ok(turn)
    }

    fn floor(&self, method: Method, write_size: usize, duration: Duration) -> Result<Turn> {
        let (path, position) = (self.floor_file.clone(), self.floor_position.get());
        let (turn, position) = on_shard(&self.engine, move |client| {
            let path = path.clone();
            async move {
                let target = Target::open_at(client.runtime(), &path, method, position).await?;
                let turn = target.run(write_size, duration).await?;
                Ok::<_, DiskError>((turn, target.position()))
            }
        })?
        .context("the device failed")?;
        self.floor_position.set(position);
        Ok(turn)
    }
}

/// The device's throughput in each round, one durable write at a time.
struct Floors {
    by_kind: Vec<(Method, usize, Series)>,
}

impl Floors {
    fn new() -> Self {
        let kinds = Method::ALL.into_iter().flat_map(|method| LARGE_WRITE_SIZES.map(|size| (method, size)));
        let by_kind = kinds.map(|(method, size)| (method, size, Series::new(Unit::MegabytesPerSecond)));
        Self { by_kind: by_kind.collect() }
    }

    fn push(&mut self, bed: &Bed, duration: Duration) -> Result<()> {
        for (method, write_size, series) in &mut self.by_kind {
            series.push(bed.floor(*method, *write_size, duration)?.megabytes_per_second());
        }
        Ok(())
    }

    /// The best kind of write of one method: like the best append, the one with the best median. The best of
    /// every round would be the luckiest of eight turns.
    fn best_of(&self, method: Method) -> (usize, &Series) {
        let of_method = self.by_kind.iter().filter(|(known, ..)| *known == method);
        let best = of_method.max_by(|(.., a), (.., b)| a.median().total_cmp(&b.median()));
        best.map(|(_, size, series)| (*size, series)).expect("each method has several kinds")
    }

    /// The best of both methods.
    fn best(&self) -> &Series {
        let [first, second] = Method::ALL.map(|method| self.best_of(method).1);
        if first.median() >= second.median() { first } else { second }
    }
}

fn report(session: &mut Session, lanes: &[Lane], floors: &Floors, dry_rolls: u64) {
    for method in Method::ALL {
        let (write_size, series) = floors.best_of(method);
        series.print(&format!("floor: {}, {} KiB", method.label(), write_size >> 10));
        session.record(SCENARIO, &format!("floor_{}", method.key()), series);
    }
    let mut best: Option<(&Lane, Ratio)> = None;
    for lane in lanes {
        let share = lane.report(session, SCENARIO, floors.best());
        if best.as_ref().is_none_or(|(_, known)| share.median() > known.median()) {
            best = Some((lane, share));
        }
    }
    let (lane, share) = best.expect("there are lanes");
    if dry_rolls > 0 {
        println!("  note: the pool ran dry {dry_rolls} times; fewer milliseconds or more --segments");
    }
    println!("  best: {}", lane.label());
    session.record(SCENARIO, "best_of_floor", &share);
    let reached = share.median() >= SHARE_MIN;
    let target = format!("at least {SHARE_MIN} of the floor");
    verdict("durable append", &format!("{:.2}", share.median()), &target, reached);
}
