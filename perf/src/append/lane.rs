//! What is appended, from where, and what came of it in every round.

use crate::floor::Turn;
use crate::measure::{Ratio, Series, Unit};
use crate::session::Session;

/// Who appends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum From {
    /// Tasks on the shard that owns the partition, each one append at a time.
    Tasks,
    /// One ordinary thread, with several appends under way.
    Thread,
}

pub(super) struct Lane {
    pub(super) from: From,
    pub(super) batch_size: usize,
    pub(super) concurrency: usize,
    pub(super) throughput: Series,
    p50: Series,
    p99: Series,
    cpu: Series,
}

impl Lane {
    pub(super) fn new(from: From, batch_size: usize, concurrency: usize) -> Self {
        Self {
            from,
            batch_size,
            concurrency,
            throughput: Series::new(Unit::MegabytesPerSecond),
            p50: Series::new(Unit::Microseconds),
            p99: Series::new(Unit::Microseconds),
            cpu: Series::new(Unit::CpuSecondsPerGigabyte),
        }
    }

    /// `cpu_seconds`: processor time that the turn cost.
    pub(super) fn push(&mut self, turn: &Turn, cpu_seconds: f64) {
        self.throughput.push(turn.megabytes_per_second());
        self.p50.push(turn.latencies.quantile_us(0.5));
        self.p99.push(turn.latencies.quantile_us(0.99));
        self.cpu.push(cpu_seconds / (turn.bytes as f64 / 1e9));
    }

    pub(super) fn label(&self) -> String {
        let size = self.batch_size >> 10;
        match (self.from, self.concurrency) {
            (From::Tasks, 1) => format!("{size} KiB from 1 task"),
            (From::Tasks, count) => format!("{size} KiB from {count} tasks"),
            (From::Thread, count) => format!("{size} KiB from a thread, {count} under way"),
        }
    }

    fn key(&self) -> String {
        let from = match self.from {
            From::Tasks => "tasks",
            From::Thread => "thread",
        };
        format!("{}k_{from}_{}", self.batch_size >> 10, self.concurrency)
    }

    /// Prints and writes down the lane; `floor` is that of the same rounds. Returns the share of it.
    pub(super) fn report(&self, session: &mut Session, scenario: &str, floor: &Series) -> Ratio {
        let (label, key) = (self.label(), self.key());
        let share = Ratio::of(&self.throughput, floor);
        self.throughput.print(&label);
        share.print(&format!("{label}: of the floor"));
        self.p50.print(&format!("{label}: p50"));
        self.p99.print(&format!("{label}: p99"));
        self.cpu.print(&format!("{label}: processor"));
        session.record(scenario, &key, &self.throughput);
        session.record(scenario, &format!("{key}_of_floor"), &share);
        session.record(scenario, &format!("{key}_p50"), &self.p50);
        session.record(scenario, &format!("{key}_p99"), &self.p99);
        session.record(scenario, &format!("{key}_cpu"), &self.cpu);
        share
    }
}
