//! Numbers: rounds and their ratios, latencies, clocks.

mod clock;
mod latency;
mod ratio;
mod series;

pub use clock::{Stopwatch, cpu_seconds, pause, unix_seconds};
pub use latency::{Latencies, LatencySummary};
pub use ratio::Ratio;
pub use series::{Series, Unit, median};
