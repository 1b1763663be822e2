//! The log's own clock: how long there has been a log.
//!
//! While the log is open it moves with the monotonic clock, whatever the wall clock does. Over the time between two
//! starts only the wall clock tells: what it claims to have passed is believed once it has claimed so for
//! [`CLOCK_BELIEF_DELAY`] without a step, or once two starts that lie so far apart agree. What is not believed yet has
//! not passed. A wall clock that went back claims nothing.

use crate::io::Monotonic;
use crate::limits::{CLOCK_BELIEF_DELAY, CLOCK_STEP_MIN};
use crate::model::Timestamp;

const MS: u64 = 1_000_000;

/// The clock as a frame and a checkpoint have it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ClockReading {
    /// Milliseconds since the log was made, as far as they are believed.
    pub(crate) log_ms: u64,
    /// What the wall clock would say if nothing but these had passed.
    pub(crate) believed: Timestamp,
    /// What it said.
    pub(crate) seen: Timestamp,
}

/// The clock while the log is open.
#[derive(Debug)]
pub(crate) struct LogClock {
    /// Nanoseconds since the log was made.
    log_ns: u64,
    /// When both clocks were looked at last, and what the wall clock said.
    looked: Monotonic,
    wall: Timestamp,
    /// What the wall clock claims to have passed before this start. Milliseconds.
    claim: u64,
    claimed: Monotonic,
}

impl LogClock {
    /// The clock of a log whose last reading is `last`.
    pub(crate) fn begin(last: Option<ClockReading>, now: Monotonic, wall: Timestamp) -> Self {
        let Some(last) = last else {
            return Self { log_ns: 0, looked: now, wall, claim: 0, claimed: now };
        };
        let mut log_ms = last.log_ms;
        let mut believed = last.believed;
        let delay = CLOCK_BELIEF_DELAY.as_millis() as u64;
        if passed(last.seen, wall) >= delay {
            // The start before saw the same, and nothing has taken it back.
            log_ms = log_ms.saturating_add(passed(believed, last.seen));
            believed = believed.max(last.seen);
        }
        let log_ns = log_ms.saturating_mul(MS);
        Self { log_ns, looked: now, wall, claim: passed(believed, wall), claimed: now }
    }

    /// Looks at both clocks. Whether the wall clock was stepped since the last look.
    pub(crate) fn look(&mut self, now: Monotonic, wall: Timestamp) -> bool {
        let elapsed = now.since(self.looked);
        self.log_ns = self.log_ns.saturating_add(elapsed.as_nanos() as u64);
        let step = wall.0.saturating_sub(self.wall.0).saturating_sub(elapsed.as_millis() as i64);
        let stepped = step.unsigned_abs() >= CLOCK_STEP_MIN.as_millis() as u64;
        (self.looked, self.wall) = (now, wall);
        if self.claim > 0 {
            if stepped {
                self.claim = self.claim.saturating_add_signed(step);
                self.claimed = now;
            } else if now.since(self.claimed) >= CLOCK_BELIEF_DELAY {
                self.log_ns = self.log_ns.saturating_add(self.claim.saturating_mul(MS));
                self.claim = 0;
            }
        }
        stepped
    }

    /// As of the last look.
    pub(crate) fn reading(&self) -> ClockReading {
        let believed = Timestamp(self.wall.0.saturating_sub_unsigned(self.claim));
        ClockReading { log_ms: self.log_ns / MS, believed, seen: self.wall }
    }
}

/// Milliseconds from `from` to `to`; 0 if `to` is earlier.
fn passed(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const YEAR: u64 = 365 * 24 * HOUR;

    /// Both clocks, and what one log makes of them.
    struct Clocks {
        now: u64,
        wall: i64,
        clock: LogClock,
    }

    impl Clocks {
        fn new() -> Self {
            let wall = 1_700_000_000_000;
            Self { now: 5, wall, clock: LogClock::begin(None, Monotonic(5 * MS), Timestamp(wall)) }
        }

        /// Time goes on, and the wall clock with it; looks every second.
        fn run(&mut self, ms: u64) -> bool {
            self.run_with(ms, 1)
        }

        fn run_with(&mut self, ms: u64, wall_rate: i64) -> bool {
            let mut stepped = false;
            for _ in 0..ms / 1000 {
                self.now += 1000;
                self.wall += 1000 * wall_rate;
                stepped |= self.clock.look(Monotonic(self.now * MS), Timestamp(self.wall));
            }
            stepped
        }

        /// A new process after `ms`; the monotonic clock begins anew.
        fn restart(&mut self, ms: u64) {
            self.wall += ms as i64;
            self.now = 77;
            let reading = self.clock.reading();
            self.clock = LogClock::begin(Some(reading), Monotonic(self.now * MS), Timestamp(self.wall));
        }

        fn log_ms(&self) -> u64 {
            self.clock.reading().log_ms
        }
    }

    #[test]
    fn no_step_of_the_wall_clock_moves_an_open_log() {
        let mut clocks = Clocks::new();
        for step in [-(HOUR as i64), YEAR as i64, 0, -(YEAR as i64), 1_700_000_000_000, i64::MIN / 4] {
            clocks.wall += step;
            let before = clocks.log_ms();
            assert_eq!(clocks.run(HOUR), step != 0);
            assert_eq!(clocks.log_ms(), before + HOUR);
        }
        let before = clocks.log_ms();
        assert!(clocks.run_with(HOUR, 0), "a clock that stands still is noticed");
        assert_eq!(clocks.log_ms(), before + HOUR);
    }

    #[test]
    fn what_passed_between_two_starts_is_believed_after_a_while() {
        let mut clocks = Clocks::new();
        clocks.run(HOUR);
        clocks.restart(5 * HOUR);
        assert_eq!(clocks.log_ms(), HOUR);
        clocks.run(9 * MINUTE);
        assert_eq!(clocks.log_ms(), HOUR + 9 * MINUTE);
        clocks.run(MINUTE);
        assert_eq!(clocks.log_ms(), 6 * HOUR + 10 * MINUTE);
    }

    #[test]
    fn a_wall_clock_that_is_set_right_after_a_start_takes_its_claim_back() {
        for (wrong, right) in [(YEAR, HOUR), (YEAR, 0)] {
            let mut clocks = Clocks::new();
            clocks.run(HOUR);
            clocks.restart(wrong);
            clocks.run(9 * MINUTE);
            clocks.wall -= (wrong - right) as i64;
            assert!(clocks.run(9 * MINUTE));
            assert_eq!(clocks.log_ms(), HOUR + 18 * MINUTE);
            clocks.run(2 * MINUTE);
            assert_eq!(clocks.log_ms(), HOUR + 20 * MINUTE + right);
        }
        let mut clocks = Clocks::new();
        clocks.run(HOUR);
        clocks.restart(0);
        clocks.wall -= HOUR as i64;
        clocks.restart(0);
        clocks.run(HOUR);
        assert_eq!(clocks.log_ms(), 2 * HOUR, "a clock that went back claims nothing");
    }

    #[test]
    fn starts_too_short_to_believe_believe_what_the_start_before_them_saw() {
        let mut clocks = Clocks::new();
        for day in 0..10 {
            clocks.run(1000);
            assert_eq!(clocks.log_ms() / (24 * HOUR), u64::saturating_sub(day, 1), "day {day}");
            clocks.restart(24 * HOUR);
        }
        // A year too much, and back.
        let before = clocks.log_ms();
        clocks.restart(YEAR);
        clocks.run(1000);
        clocks.restart(0);
        clocks.wall -= YEAR as i64;
        clocks.restart(0);
        clocks.run(HOUR);
        assert!(clocks.log_ms() < before + 50 * HOUR);
    }
}
