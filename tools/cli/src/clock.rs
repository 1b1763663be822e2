//! Time and threads of the command line: outside of the engine, so the real ones.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line measures real time and has threads of its own"
)]

use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The moment, for durations.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, as records carry them.
#[must_use]
pub fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits.
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Runs `work` on a thread of its own.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(work)
}
