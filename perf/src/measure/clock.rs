//! Clocks for ordinary threads. Tasks on executors use their runtime's.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time, and replays nothing")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Clock ticks per second in `/proc/self/stat`: the same on every Linux that user space sees.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures one span of time.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since it began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Blocks this thread.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Seconds since 1970, by the wall clock.
#[must_use]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Processor time of this process since it began, kernel worker threads on its behalf included; zero if the
/// kernel does not say. Unit: seconds, in steps of a hundredth.
#[must_use]
pub fn cpu_seconds() -> f64 {
    std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| ticks(&stat)).unwrap_or(0) as f64
        / TICKS_PER_SECOND
}

/// User and system time in a line of `/proc/self/stat`.
fn ticks(stat: &str) -> Option<u64> {
    // "pid (name) state …": the name may hold anything, so fields are counted from the last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 700 65 1 2 20 0 3 0 12345";
        assert_eq!(ticks(stat), Some(765));
        assert_eq!(ticks("42 (a"), None);
    }
}
