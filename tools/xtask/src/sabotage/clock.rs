//! The clock, to say how long things took and to end what does not end.

use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "outside of the simulator, around it")]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "outside of the simulator, around it")]
pub(super) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
