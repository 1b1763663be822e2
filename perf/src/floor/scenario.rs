//! The scenario: ours and fio's in turns.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use thalweg_runtime::{GlommioRuntime, RuntimeOptions, preflight, start};

use super::fio::Fio;
use super::{Method, Target, Turn};
use crate::measure::{Ratio, Series, Unit};
use crate::session::Session;

const SCENARIO: &str = "floor";

/// The write whose latency is the floor of one small append. Bytes.
const SMALL_WRITE_SIZE: usize = 4 << 10;

/// Writes whose throughput is the floor of many appends. Bytes.
pub(crate) const LARGE_WRITE_SIZES: [usize; 4] = [128 << 10, 256 << 10, 512 << 10, 1 << 20];

/// Below this share of fio's speed, something is wrong with us and not with the device.
const SHARE_OF_FIO_MIN: f64 = 0.9;

const MIB: u64 = 1 << 20;

/// Options of the scenario.
#[derive(Args, Clone, Debug)]
pub(crate) struct FloorArgs {
    /// Size of the file that is overwritten, in MiB
    #[arg(long, value_name = "MIB", default_value_t = FloorArgs::default().file_size,
          value_parser = clap::value_parser!(u64).range(16..=16_384))]
    file_size: u64,
}

impl Default for FloorArgs {
    fn default() -> Self {
        Self { file_size: 256 }
    }
}

/// One kind of write, all rounds of it.
struct Lane {
    method: Method,
    write_size: usize,
    ours: Contestant,
    fio: Option<Contestant>,
}

struct Contestant {
    throughput: Series,
    p50: Series,
    p99: Series,
}

impl Contestant {
    fn new() -> Self {
        Self {
            throughput: Series::new(Unit::MegabytesPerSecond),
            p50: Series::new(Unit::Microseconds),
            p99: Series::new(Unit::Microseconds),
        }
    }

    fn push(&mut self, throughput: f64, p50: f64, p99: f64) {
        self.throughput.push(throughput);
        self.p50.push(p50);
        self.p99.push(p99);
    }
}

/// Runs the scenario.
///
/// # Errors
/// The disk's, fio's, or the machine's.
pub(crate) fn run(session: &mut Session, args: &FloorArgs) -> Result<()> {
    let file_size = args.file_size * MIB;
    session.require_space(SCENARIO, file_size)?;
    preflight::check_direct_io(session.scratch.path())?;
    let path = session.scratch.join("floor");
    let place = Place { path: path.clone(), file_size, runtime: session.engine.runtime() };
    place.fill()?;
    let fio = Fio::find();
    println!();
    println!(
        "floor: one durable write at a time into {} MiB of written space, ours and fio in turns",
        args.file_size
    );
    match fio {
        Some(fio) => println!("  fio uses {}", fio.engine()),
        None => println!("  fio is missing (Debian: apt-get install fio): ours is not checked against it"),
    }
    let mut lanes = lanes(fio.is_some());
    for round in 0..session.effort.rounds {
        for lane in &mut lanes {
            lane.take_turns(round, &place, fio, session.effort.turn)?;
        }
    }
    lanes.iter().for_each(|lane| lane.report(session));
    report_best(session, &lanes);
    std::fs::remove_file(&path).context("the floor's file could not be removed")
}

fn lanes(with_fio: bool) -> Vec<Lane> {
    let sizes = || [SMALL_WRITE_SIZE].into_iter().chain(LARGE_WRITE_SIZES);
    let lane = |method, write_size| Lane {
        method,
        write_size,
        ours: Contestant::new(),
        fio: with_fio.then(Contestant::new),
    };
    Method::ALL.into_iter().flat_map(|method| sizes().map(move |size| lane(method, size))).collect()
}

impl Lane {
    /// Who begins changes from round to round, so that neither always profits from what the other left.
    fn take_turns(
        &mut self,
        round: usize,
        place: &Place,
        fio: Option<Fio>,
        duration: Duration,
    ) -> Result<()> {
        let ours_begins = round.is_multiple_of(2);
        if ours_begins {
            self.run_ours(place, duration)?;
        }
        if let (Some(fio), Some(contestant)) = (fio, &mut self.fio) {
            let turn = fio.run(&place.path, place.file_size, self.method, self.write_size, duration)?;
            contestant.push(turn.megabytes_per_second, turn.p50_us, turn.p99_us);
        }
        if !ours_begins {
            self.run_ours(place, duration)?;
        }
        Ok(())
    }

    fn run_ours(&mut self, place: &Place, duration: Duration) -> Result<()> {
        let turn = place.measure(self.method, self.write_size, duration)?;
        let latencies = &turn.latencies;
        self.ours.push(turn.megabytes_per_second(), latencies.quantile_us(0.5), latencies.quantile_us(0.99));
        Ok(())
    }

    fn is_small(&self) -> bool {
        self.write_size == SMALL_WRITE_SIZE
    }

    fn label(&self) -> String {
        format!("{} KiB {}", self.write_size >> 10, self.method.label())
    }

    fn key(&self) -> String {
        format!("{}_{}k", self.method.key(), self.write_size >> 10)
    }

    fn report(&self, session: &mut Session) {
        let (label, key) = (self.label(), self.key());
        let Contestant { throughput, p50, p99 } = &self.ours;
        p50.print(&format!("{label}: p50"));
        p99.print(&format!("{label}: p99"));
        session.record(SCENARIO, &format!("{key}_p50"), p50);
        session.record(SCENARIO, &format!("{key}_p99"), p99);
        if !self.is_small() {
            throughput.print(&label);
            session.record(SCENARIO, &key, throughput);
        }
        let Some(fio) = &self.fio else { return };
        let share = if self.is_small() {
            fio.p50.print(&format!("{label}: p50 of fio"));
            fio.p99.print(&format!("{label}: p99 of fio, write's and flush's added"));
            session.record(SCENARIO, &format!("{key}_p50_fio"), &fio.p50);
            Ratio::of(&fio.p50, p50)
        } else {
            fio.throughput.print(&format!("{label}: fio"));
            session.record(SCENARIO, &format!("{key}_fio"), &fio.throughput);
            Ratio::of(throughput, &fio.throughput)
        };
        share.print(&format!("{label}: ours / fio, speed"));
        session.record(SCENARIO, &format!("{key}_share_of_fio"), &share);
        if share.median() < SHARE_OF_FIO_MIN {
            println!(
                "  OURS IS WRONG: {label} has {:.2} of fio's speed, at least {SHARE_OF_FIO_MIN} is expected{}",
                share.median(),
                if session.machine.is_disturbed() {
                    " (or others disturb the device: see the load)"
                } else {
                    ""
                }
            );
        }
    }
}

/// The fastest way to make much data durable: what appends are measured against.
fn report_best(session: &mut Session, lanes: &[Lane]) {
    for method in Method::ALL {
        let best = lanes
            .iter()
            .filter(|lane| lane.method == method && !lane.is_small())
            .max_by(|a, b| a.ours.throughput.median().total_cmp(&b.ours.throughput.median()))
            .expect("there are large writes");
        best.ours.throughput.print(&format!("best of {}: {} KiB", method.label(), best.write_size >> 10));
        session.record(SCENARIO, &format!("best_{}", method.key()), &best.ours.throughput);
    }
}

/// The file that is overwritten, and the executors that do it.
struct Place {
    path: PathBuf,
    file_size: u64,
    runtime: RuntimeOptions,
}

impl Place {
    /// Makes the file.
    fn fill(&self) -> Result<()> {
        let (path, file_size) = (self.path.clone(), self.file_size);
        self.on_executor(move |runtime| {
            let path = path.clone();
            async move { Target::fill(&runtime, &path, file_size).await }
        })?
        .context("the floor's file could not be written")
    }

    /// One turn through our runtime, on an executor of its own.
    fn measure(&self, method: Method, write_size: usize, duration: Duration) -> Result<Turn> {
        let path = self.path.clone();
        self.on_executor(move |runtime| {
            let path = path.clone();
            async move { Target::open(&runtime, &path, method).await?.run(write_size, duration).await }
        })?
        .context("the device failed")
    }

    /// Runs `task` on one executor, bound to a core as a shard's is.
    fn on_executor<F, O, T>(&self, task: F) -> Result<T>
    where
        F: Fn(GlommioRuntime) -> O + Clone + Send + 'static,
        O: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let executors = start(1, &self.runtime, move |runtime, _| task(runtime))?;
        Ok(executors.join().pop().expect("one executor has one output"))
    }
}
