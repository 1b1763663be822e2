//! Sabotage: each patch in `engine/sim/sabotage` takes one protection out of the engine, and the simulator has
//! to notice. What it does not notice is tested by nothing.

mod clock;
mod command;
mod options;
mod patch;
mod report;
mod scratch;
mod seeds;

pub use command::command;
pub use options::{Options, USAGE};
