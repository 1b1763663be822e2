//! The scenario: a flushed write, an append from a task of the owning shard, and one from an ordinary thread, in
//! turns. The write goes through the same executor as the appends.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use thalweg_engine::catalog::{Partition, TopicSettings};
use thalweg_engine::log::LogOptions;
use thalweg_engine::model::TopicName;
use thalweg_runtime::Engine;

use crate::append::append_turn;
use crate::bed::{batch_of_size, describe, make_room, method_of, on_shard, open, verdict};
use crate::floor::{Method, Target, Turn};
use crate::measure::{Latencies, Ratio, Series, Stopwatch, Unit};
use crate::session::Session;

const SCENARIO: &str = "latency";

/// Size of the write and of the appended record's batch. Bytes.
const SIZE: usize = 4 << 10;

/// Size of the file that the floor overwrites. Bytes.
const FLOOR_FILE_SIZE: u64 = 64 << 20;

/// Most that is held: the log of all rounds, its pool, and the floor's file. Bytes.
const HELD_BYTES: u64 = 4 << 30;

/// A turn has no bound but its length.
const BYTES_MAX: u64 = u64::MAX;

/// What an append from a task may cost, in flushed writes.
const TASK_RATIO_MAX: f64 = 1.3;

/// What an append from a thread may cost more than a flushed write. Microseconds.
const THREAD_EXTRA_US_MAX: f64 = 100.0;

/// Options of the scenario: none yet.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LatencyArgs {}

struct Bed {
    engine: Engine,
    partition: Partition,
    floor_file: PathBuf,
}

struct Lane {
    label: &'static str,
    key: &'static str,
    take_turn: fn(&Bed, Duration) -> Result<Turn>,
    p50: Series,
    p99: Series,
    all: Latencies,
}

/// Runs the scenario.
///
/// # Errors
/// The disk's, or the engine's.
pub(crate) fn run(session: &mut Session, _: &LatencyArgs) -> Result<()> {
    session.require_space(SCENARIO, HELD_BYTES)?;
    let bed = Bed::make(session)?;
    println!();
    println!("latency: one durable append of 4 KiB at a time");
    describe(&bed.engine);
    let mut lanes = [
        Lane::new("flushed write of 4 KiB, same executor", "write", Bed::write),
        Lane::new("append from a task on the shard", "task", Bed::append_from_task),
        Lane::new("append from a thread", "thread", Bed::append_from_thread),
    ];
    for round in 0..session.effort.rounds {
        bed.make_room()?;
        let count = lanes.len();
        // Who begins changes from round to round.
        for index in (0..count).map(|index| (index + round) % count) {
            let lane = &mut lanes[index];
            let turn = (lane.take_turn)(&bed, session.effort.turn).context(lane.label)?;
            lane.push(&turn.latencies);
        }
    }
    report(session, &lanes);
    bed.engine.close().context("the engine could not be closed")?;
    Ok(())
}

impl Bed {
    fn make(session: &Session) -> Result<Self> {
        let floor_file = session.scratch.join("latency-floor");
        let engine = open(&session.scratch.join("latency"), session.engine, LogOptions::default())?;
        let name = TopicName::new("latency").expect("a valid name");
        let partition = engine.client().create_topic(&name, 1, TopicSettings::default())?.partitions[0];
        let path = floor_file.clone();
        on_shard(&engine, move |client| {
            let path = path.clone();
            async move { Target::fill(client.runtime(), &path, FLOOR_FILE_SIZE).await }
        })?
        .context("the floor's file could not be written")?;
        Ok(Self { engine, partition, floor_file })
    }

    fn make_room(&self) -> Result<()> {
        let partition = self.partition.id;
        let segments = LogOptions::default().pool_target;
        on_shard(&self.engine, move |client| async move { make_room(&client, partition, segments).await })?
    }

    fn write(&self, duration: Duration) -> Result<Turn> {
        let (path, method): (PathBuf, Method) = (self.floor_file.clone(), method_of(&self.engine));
        on_shard(&self.engine, move |client| {
            let path = path.clone();
            async move { Target::open(client.runtime(), &path, method).await?.run(SIZE, duration).await }
        })?
        .context("the device failed")
    }

    fn append_from_task(&self, duration: Duration) -> Result<Turn> {
        let partition = self.partition.id;
        let turn = on_shard(&self.engine, move |client| async move {
            let batch = Rc::new(batch_of_size(SIZE, SIZE));
            append_turn(&client, partition, batch, 1, duration, BYTES_MAX).await
        })?;
        Ok(turn?)
    }

    fn append_from_thread(&self, duration: Duration) -> Result<Turn> {
        let client = self.engine.client();
        let batch = batch_of_size(SIZE, SIZE);
        let mut turn = Turn::default();
        let begin = Stopwatch::start();
        while begin.elapsed() < duration {
            let operation_begin = Stopwatch::start();
            client.append(&self.partition, batch.clone()).wait()??;
            turn.latencies.record(operation_begin.elapsed());
            turn.bytes += batch.len() as u64;
        }
        turn.elapsed = begin.elapsed();
        Ok(turn)
    }
}

impl Lane {
    fn new(label: &'static str, key: &'static str, take_turn: fn(&Bed, Duration) -> Result<Turn>) -> Self {
        let (p50, p99) = (Series::new(Unit::Microseconds), Series::new(Unit::Microseconds));
        Self { label, key, take_turn, p50, p99, all: Latencies::default() }
    }

    fn push(&mut self, latencies: &Latencies) {
        self.p50.push(latencies.quantile_us(0.5));
        self.p99.push(latencies.quantile_us(0.99));
        self.all.merge(latencies);
    }
}

fn report(session: &mut Session, lanes: &[Lane; 3]) {
    for lane in lanes {
        lane.p50.print(&format!("{}: p50", lane.label));
        lane.p99.print(&format!("{}: p99", lane.label));
        lane.all.summary().print(&format!("{}: all rounds", lane.label));
        session.record(SCENARIO, &format!("{}_p50", lane.key), &lane.p50);
        session.record(SCENARIO, &format!("{}_p99", lane.key), &lane.p99);
        session.record(SCENARIO, &format!("{}_all", lane.key), lane.all.summary());
    }
    let [write, task, thread] = lanes;
    let ratio = Ratio::of(&task.p50, &write.p50);
    ratio.print("append from a task / write, p50");
    session.record(SCENARIO, "task_per_write", &ratio);
    let mut extra = Series::new(Unit::Microseconds);
    for (thread, write) in thread.p50.rounds().iter().zip(write.p50.rounds()) {
        extra.push(thread - write);
    }
    extra.print("append from a thread − write, p50");
    session.record(SCENARIO, "thread_beyond_write", &extra);
    let target = format!("at most {TASK_RATIO_MAX} flushed writes");
    verdict(
        "append from a task",
        &format!("{:.2}", ratio.median()),
        &target,
        ratio.median() <= TASK_RATIO_MAX,
    );
    let target = format!("at most a flushed write and {THREAD_EXTRA_US_MAX} µs");
    let figure = format!("{:.1} µs beyond it", extra.median());
    verdict("append from a thread", &figure, &target, extra.median() <= THREAD_EXTRA_US_MAX);
}
