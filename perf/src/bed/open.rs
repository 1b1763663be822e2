//! Opening an engine to be measured.

use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use thalweg_engine::log::{FlushMethod, LogOptions};
use thalweg_runtime::{Engine, EngineOptions};

use crate::floor::Method;

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

impl FlushChoice {
    /// As the command line names it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("every choice has a name").get_name().to_owned()
    }
}

/// Opens a data folder of one shard.
///
/// # Errors
/// The engine's refusal.
pub(crate) fn open(folder: &Path, flush: FlushChoice, log: LogOptions) -> Result<Engine> {
    let flush = match flush {
        FlushChoice::Auto => None,
        FlushChoice::Flush => Some(FlushMethod::Flush),
        FlushChoice::WriteThrough => Some(FlushMethod::WriteThrough),
    };
    let options = EngineOptions { shards: Some(1), flush, log, ..EngineOptions::default() };
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
