//! The scenario: one engine with a topic of one partition and one of many, at the same total rate in turns; then the first
//! fill of new logs.

use std::rc::Rc;

use anyhow::{Context, Result};
use clap::Args;
use thalweg_engine::catalog::TopicSettings;
use thalweg_engine::limits::SEGMENT_SIZE_DEFAULT;
use thalweg_engine::log::LogOptions;
use thalweg_engine::model::{PartitionId, TopicName};
use thalweg_runtime::Engine;

use super::fill::FirstFill;
use crate::bed::{OpenTurn, Rate, append_at_rate, batch_of_size, describe, on_shard, open, verdict};
use crate::measure::{Latencies, Ratio, Series, Unit};
use crate::session::Session;

const SCENARIO: &str = "partitions";

/// What the latency of many partitions may be, in that of one.
const P50_RATIO_MAX: f64 = 1.2;
const P99_RATIO_MAX: f64 = 1.5;

/// The share of the device's flushed throughput that a first fill has to reach.
const FILL_SHARE_MIN: f64 = 0.6;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub(crate) struct PartitionsArgs {
    /// Partitions of the topic that has many
    #[arg(long, value_name = "N", default_value_t = PartitionsArgs::default().partitions,
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    partitions: u32,
    /// Appends per second, to all partitions together
    #[arg(long, value_name = "N", default_value_t = PartitionsArgs::default().rate,
          value_parser = clap::value_parser!(u64).range(10..=500_000))]
    rate: u64,
    /// Size of an append's batch, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = PartitionsArgs::default().batch_size,
          value_parser = clap::value_parser!(u64).range(128..=1_048_576))]
    batch_size: u64,
    /// What a new log is filled with, in millions of bytes
    #[arg(long, value_name = "MB", default_value_t = PartitionsArgs::default().fill,
          value_parser = clap::value_parser!(u64).range(100..=10_000))]
    fill: u64,
}

impl Default for PartitionsArgs {
    fn default() -> Self {
        Self { partitions: 1000, rate: 10_000, batch_size: 1024, fill: 4000 }
    }
}

impl PartitionsArgs {
    /// A tenth of the data.
    pub(crate) fn quick() -> Self {
        Self { fill: 400, ..Self::default() }
    }
}

/// A topic that is appended to.
struct Lane {
    label: String,
    key: &'static str,
    partitions: Vec<PartitionId>,
    p50: Series,
    p99: Series,
    all: Latencies,
    overrun: bool,
}

/// Runs the scenario.
///
/// # Errors
/// The disk's, or the engine's.
pub(crate) fn run(session: &mut Session, args: &PartitionsArgs) -> Result<()> {
    let appended = 2 * session.effort.rounds as u64 * session.effort.turn.as_secs().max(1) * args.rate;
    let fill = args.fill * 1_000_000;
    let beside = 16 * u64::from(SEGMENT_SIZE_DEFAULT);
    // A frame takes a block at least.
    session.require_space(SCENARIO, appended * args.batch_size.max(4096) + fill + beside)?;
    println!();
    println!(
        "partitions: {} appends of {} bytes per second, open loop, from the moment at which each was meant to begin",
        args.rate, args.batch_size
    );
    let engine = open(&session.scratch.join("partitions"), session.engine, LogOptions::default())?;
    describe(&engine);
    let mut lanes = [Lane::make(&engine, 1, "one")?, Lane::make(&engine, args.partitions, "many")?];
    let rate = Rate { per_second: args.rate, duration: session.effort.turn };
    for round in 0..session.effort.rounds {
        for index in [round % 2, (round + 1) % 2] {
            let turn = take_turn(&engine, &lanes[index], args.batch_size as usize, rate)?;
            lanes[index].push(&turn);
        }
    }
    engine.close().context("the engine could not be closed")?;
    report(session, &lanes);
    let filled = FirstFill::measure(session, fill)?;
    report_fill(session, &filled, args.fill);
    Ok(())
}

fn take_turn(engine: &Engine, lane: &Lane, batch_size: usize, rate: Rate) -> Result<OpenTurn> {
    let partitions = lane.partitions.clone();
    let turn = on_shard(engine, move |client| {
        let partitions = partitions.clone();
        async move {
            let batch = Rc::new(batch_of_size(batch_size, batch_size));
            append_at_rate(&client, &partitions, batch, rate).await
        }
    })?;
    turn.with_context(|| lane.label.clone())
}

impl Lane {
    fn make(engine: &Engine, partitions: u32, key: &'static str) -> Result<Self> {
        let name = TopicName::new(key).expect("a valid name");
        let topic = engine.client().create_topic(&name, partitions, TopicSettings::default())?;
        Ok(Self {
            label: if partitions == 1 {
                "1 partition".to_owned()
            } else {
                format!("{partitions} partitions")
            },
            key,
            partitions: topic.partitions.iter().map(|partition| partition.id).collect(),
            p50: Series::new(Unit::Microseconds),
            p99: Series::new(Unit::Microseconds),
            all: Latencies::default(),
            overrun: false,
        })
    }

    fn push(&mut self, turn: &OpenTurn) {
        let latencies = &turn.turn.latencies;
        self.p50.push(latencies.quantile_us(0.5));
        self.p99.push(latencies.quantile_us(0.99));
        self.all.merge(latencies);
        self.overrun |= turn.overrun;
    }
}

fn report(session: &mut Session, lanes: &[Lane; 2]) {
    for lane in lanes {
        lane.p50.print(&format!("{}: p50", lane.label));
        lane.p99.print(&format!("{}: p99", lane.label));
        lane.all.summary().print(&format!("{}: all rounds", lane.label));
        if lane.overrun {
            println!("  note: {}: the engine did not keep up; a lower --rate", lane.label);
        }
        session.record(SCENARIO, &format!("{}_p50", lane.key), &lane.p50);
        session.record(SCENARIO, &format!("{}_p99", lane.key), &lane.p99);
        session.record(SCENARIO, &format!("{}_all", lane.key), lane.all.summary());
    }
    let [one, many] = lanes;
    for (what, numerator, denominator, limit) in
        [("p50", &many.p50, &one.p50, P50_RATIO_MAX), ("p99", &many.p99, &one.p99, P99_RATIO_MAX)]
    {
        let ratio = Ratio::of(numerator, denominator);
        ratio.print(&format!("{} / 1 partition, {what}", many.label));
        session.record(SCENARIO, &format!("many_per_one_{what}"), &ratio);
        let target = format!("at most {limit} of one's");
        let figure = format!("{:.2}", ratio.median());
        verdict(&format!("{what} of {}", many.label), &figure, &target, ratio.median() <= limit);
    }
}

fn report_fill(session: &mut Session, filled: &FirstFill, megabytes: u64) {
    println!("  first fill: {megabytes} MB into a new log, appends of 256 KiB, 8 under way");
    filled.throughput.print("first fill");
    filled.floor.print("flushed writes of 1 MiB, one at a time");
    filled.dry_rolls.print("first fill: segments that were not ready");
    let share = filled.share();
    share.print("first fill: of the floor");
    session.record(SCENARIO, "first_fill", &filled.throughput);
    session.record(SCENARIO, "first_fill_floor", &filled.floor);
    session.record(SCENARIO, "first_fill_of_floor", &share);
    let target = format!("at least {FILL_SHARE_MIN} of the floor");
    let figure = format!("{:.2}", share.median());
    verdict("first fill", &figure, &target, share.median() >= FILL_SHARE_MIN);
}
