//! Opening an engine to be measured.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use thalweg_engine::log::{FlushMethod, LogOptions};
use thalweg_runtime::{Engine, EngineOptions, RuntimeOptions};

use crate::floor::Method;

/// How engines are set up, and the floor beside them.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct EngineArgs {
    /// How the engine makes writes durable
    #[arg(long, value_enum, value_name = "METHOD", default_value_t = FlushChoice::Auto, global = true)]
    pub(crate) flush: FlushChoice,
    /// How long executors, the floor's too, look for work before they park, in microseconds
    #[arg(long, value_name = "US", default_value_t = 0, global = true,
          value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub(crate) spin_us: u64,
}

/// How the engine makes writes durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum FlushChoice {
    /// What the engine finds to be faster on this device
    Auto,
    /// Write, then fdatasync
    Flush,
    /// O_DSYNC
    WriteThrough,
}

impl EngineArgs {
    /// The executors' options.
    pub(crate) fn runtime(self) -> RuntimeOptions {
        RuntimeOptions { spin_before_park: Duration::from_micros(self.spin_us), ..RuntimeOptions::default() }
    }

    /// Itself, as arguments of another process.
    pub(crate) fn arguments(self) -> [String; 4] {
        let flush = self.flush.to_possible_value().expect("every choice has a name");
        ["--flush".to_owned(), flush.get_name().to_owned(), "--spin-us".to_owned(), self.spin_us.to_string()]
    }
}

/// Opens a data folder of one shard.
///
/// # Errors
/// The engine's refusal.
pub(crate) fn open(folder: &Path, args: EngineArgs, log: LogOptions) -> Result<Engine> {
    let flush = match args.flush {
        FlushChoice::Auto => None,
        FlushChoice::Flush => Some(FlushMethod::Flush),
        FlushChoice::WriteThrough => Some(FlushMethod::WriteThrough),
    };
    let runtime = args.runtime();
    let options = EngineOptions { shards: Some(1), flush, log, runtime, ..EngineOptions::default() };
    Engine::open(folder, options).with_context(|| format!("{folder:?} could not be opened"))
}

/// Prints what is being measured.
pub(crate) fn describe(engine: &Engine) {
    println!("  the engine uses {} on {}", method_of(engine).label(), engine.info().device.name);
    for note in engine.notes() {
        println!("  note: {note}");
    }
}

/// The engine's way to make writes durable, as the floor knows it.
pub(crate) fn method_of(engine: &Engine) -> Method {
    match engine.info().flush {
        FlushMethod::Flush => Method::Flush,
        FlushMethod::WriteThrough => Method::WriteThrough,
    }
}
