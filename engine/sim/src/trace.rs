//! What happened, in order: a ring of the latest events, and a hash over all of them.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::prng::splitmix;

#[derive(Clone, Copy, Debug)]
struct TraceEvent {
    at_ns: u64,
    what: &'static str,
    subject: u64,
    detail: u64,
}

/// The events of one world.
#[derive(Debug)]
pub(crate) struct Trace {
    ring: VecDeque<TraceEvent>,
    ring_size_max: usize,
    hash: u64,
}

impl Trace {
    pub(crate) fn new(ring_size_max: usize) -> Self {
        Self { ring: VecDeque::with_capacity(ring_size_max), ring_size_max, hash: 0 }
    }

    pub(crate) fn add(&mut self, at_ns: u64, what: &'static str, subject: u64, detail: u64) {
        for part in [at_ns, what.len() as u64, subject, detail] {
            self.hash ^= part;
            self.hash = splitmix(&mut self.hash);
        }
        for byte in what.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.ring_size_max == 0 {
            return;
        }
        if self.ring.len() == self.ring_size_max {
            self.ring.pop_front();
        }
        self.ring.push_back(TraceEvent { at_ns, what, subject, detail });
    }

    /// Hash over every event so far: two runs with the same hash did the same.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The latest events, one a line.
    pub(crate) fn lines(&self) -> String {
        self.ring.iter().fold(String::new(), |mut text, event| {
            let TraceEvent { at_ns, what, subject, detail } = event;
            let micros = at_ns / 1000;
            let _ = writeln!(text, "{micros:>12} us  {what:<16} {subject:>6}  {detail}");
            text
        })
    }
}
