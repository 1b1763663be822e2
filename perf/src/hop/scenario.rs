//! The scenario: every hop under every load, in turns.

use anyhow::Result;
use clap::Args;

use super::{executors, thread};
use crate::measure::{Latencies, Series, Unit};
use crate::session::Session;

const SCENARIO: &str = "hop";

/// Options of the scenario: none yet.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct HopArgs {}

/// What the executors do besides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Load {
    /// Nothing, for long enough that they have parked before every message.
    Parked,
    /// Nothing; messages follow each other.
    BackToBack,
    /// They look for work instead of parking.
    Spinning,
    /// They work in small pieces.
    Busy,
}

impl Load {
    const ALL: [Self; 4] = [Self::Parked, Self::BackToBack, Self::Spinning, Self::Busy];

    fn label(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::BackToBack => "one after the other",
            Self::Spinning => "spinning",
            Self::Busy => "busy",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::BackToBack => "back_to_back",
            Self::Spinning => "spinning",
            Self::Busy => "busy",
        }
    }
}

#[derive(Clone, Copy)]
enum Route {
    Mesh,
    Gateway,
}

struct Lane {
    route: Route,
    load: Load,
    p50: Series,
    p99: Series,
    all: Latencies,
}

/// Runs the scenario.
///
/// # Errors
/// The machine's.
pub(crate) fn run(session: &mut Session, _: &HopArgs) -> Result<()> {
    println!();
    println!("hop: one message there and back at a time");
    let mut lanes: Vec<Lane> = Vec::new();
    for route in [Route::Mesh, Route::Gateway] {
        lanes.extend(Load::ALL.map(|load| Lane::new(route, load)));
    }
    for _ in 0..session.effort.rounds {
        for lane in &mut lanes {
            let latencies = match lane.route {
                Route::Mesh => executors::measure(lane.load, session.effort.turn)?,
                Route::Gateway => thread::measure(lane.load, session.effort.turn)?,
            };
            lane.push(&latencies);
        }
    }
    lanes.iter().for_each(|lane| lane.report(session));
    Ok(())
}

impl Lane {
    fn new(route: Route, load: Load) -> Self {
        let (p50, p99) = (Series::new(Unit::Microseconds), Series::new(Unit::Microseconds));
        Self { route, load, p50, p99, all: Latencies::default() }
    }

    fn push(&mut self, latencies: &Latencies) {
        self.p50.push(latencies.quantile_us(0.5));
        self.p99.push(latencies.quantile_us(0.99));
        self.all.merge(latencies);
    }

    fn report(&self, session: &mut Session) {
        let (route, route_key) = match self.route {
            Route::Mesh => ("executor to executor", "mesh"),
            Route::Gateway => ("thread to executor", "gateway"),
        };
        let label = format!("{route}, {}", self.load.label());
        let key = format!("{route_key}_{}", self.load.key());
        self.p50.print(&format!("{label}: p50"));
        self.p99.print(&format!("{label}: p99"));
        session.record(SCENARIO, &format!("{key}_p50"), &self.p50);
        session.record(SCENARIO, &format!("{key}_p99"), &self.p99);
        session.record(SCENARIO, &format!("{key}_all"), self.all.summary());
    }
}
