//! Clocks and randomness.

use std::cell::Cell;

use thalweg_engine::io::Monotonic;
use thalweg_engine::model::Timestamp;

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec that outlives the call, and nothing else points to it.
    let outcome = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(outcome, 0, "the kernel has both clocks");
    time
}

/// The monotonic clock; the same for every thread of the machine.
pub(crate) fn monotonic() -> Monotonic {
    let time = read(libc::CLOCK_MONOTONIC);
    Monotonic(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}

/// The wall clock.
pub(crate) fn wall() -> Timestamp {
    let time = read(libc::CLOCK_REALTIME);
    Timestamp(time.tv_sec * 1000 + time.tv_nsec / 1_000_000)
}

/// A SplitMix64 generator, seeded by the kernel. Names logs and spreads load; it keeps no secrets.
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn from_kernel() -> Self {
        let mut seed = [0u8; 8];
        // SAFETY: the pointer and length describe `seed`, which outlives the call.
        let size = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
        assert_eq!(size, 8, "the kernel gives eight random bytes at once");
        Self(Cell::new(u64::from_ne_bytes(seed)))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
