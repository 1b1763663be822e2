//! How long records are kept: what was appended when, by a clock that no step of the wall clock moves, and how much of it
//! a topic's settings let go.
//!
//! Pure state. Invariants: no record is let go before its time, whatever the wall clock did; what is let go is said by
//! frames, and never inferred at a start.

mod clock;
mod timeline;

pub(crate) use clock::{ClockReading, LogClock};
pub(crate) use timeline::{Mark, Timeline};
