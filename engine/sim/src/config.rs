//! What may go wrong, how often, and the size of the machine.

use std::time::Duration;

use crate::prng::Prng;

/// A probability. Unit: millionths.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Chance(pub u32);

impl Chance {
    /// Probability zero.
    pub const NEVER: Self = Self(0);
    /// Probability one.
    pub const ALWAYS: Self = Self(1_000_000);
}

/// How often each kind of fault happens. Each is one draw per operation (or per poll, where said).
#[derive(Clone, Copy, Debug)]
pub struct FaultConfig {
    /// A disk operation takes up to [`FaultConfig::slow_factor_max`] times as long.
    pub slow_operation: Chance,
    /// Longest a slow operation takes, as a multiple of its usual time. At least 2.
    pub slow_factor_max: u64,
    /// A file lies where the device is slow. Per file that is made.
    pub slow_file: Chance,
    /// Longest time that each write and flush of such a file takes beyond the usual.
    pub slow_file_max: Duration,
    /// A read takes up to [`FaultConfig::stuck_read_max`], while others go on.
    pub stuck_read: Chance,
    /// Longest time that such a read takes.
    pub stuck_read_max: Duration,
    /// The device takes a write in two parts.
    pub short_write: Chance,
    /// The device answers a read in two parts.
    pub short_read: Chance,
    /// A write fails; any part of it may have landed.
    pub write_error: Chance,
    /// A write of nothing but zeros within a file's size, as files are filled with ahead of use, finds no room: file
    /// systems that set aside space for a file may still need some when it is first written. Other writes are
    /// spared: they have [`FaultConfig::write_error`].
    pub fill_no_space: Chance,
    /// A read fails.
    pub read_error: Chance,
    /// A flush of a file or folder fails; later flushes in this process may not cover what it should have.
    pub flush_error: Chance,
    /// Opening, listing, allocating or removing fails without effect.
    pub metadata_error: Chance,
    /// With each completed operation, one bit of durable data is flipped.
    pub bit_flip: Chance,
    /// A block of new space holds garbage or the leftover of a removed file, instead of zeros. Per block.
    pub stale_space: Chance,
    /// A torn block is torn inside, between sectors of 512 bytes.
    pub torn_sector: Chance,
    /// The next task to run is any that is ready instead of the first. Per poll.
    pub reordered_task: Chance,
    /// A task that nothing woke is polled. Per poll.
    pub spurious_poll: Chance,
    /// A shard stands still for up to [`FaultConfig::pause_max`]. Per poll.
    pub pause: Chance,
    /// Longest pause of a shard.
    pub pause_max: Duration,
    /// [`Runtime::should_yield`](thalweg_engine::io::Runtime::should_yield) says yes.
    pub should_yield: Chance,
    /// A task that yields is woken only later, as if others had used up the time. Per yield.
    pub late_yield: Chance,
    /// Longest time until then.
    pub late_yield_max: Duration,
    /// The wall clock is stepped, stopped or set going. Per reading.
    pub wall_clock: Chance,
    /// Longest time a message of the mesh is under way.
    pub mesh_delay_max: Duration,
}

impl FaultConfig {
    /// Nothing goes wrong: operations take their usual, random times, tasks run in turn.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            slow_operation: Chance::NEVER,
            slow_factor_max: 2,
            slow_file: Chance::NEVER,
            slow_file_max: Duration::from_millis(1),
            stuck_read: Chance::NEVER,
            stuck_read_max: Duration::from_millis(1),
            short_write: Chance::NEVER,
            short_read: Chance::NEVER,
            write_error: Chance::NEVER,
            fill_no_space: Chance::NEVER,
            read_error: Chance::NEVER,
            flush_error: Chance::NEVER,
            metadata_error: Chance::NEVER,
            bit_flip: Chance::NEVER,
            stale_space: Chance::NEVER,
            torn_sector: Chance(250_000),
            reordered_task: Chance::NEVER,
            spurious_poll: Chance::NEVER,
            pause: Chance::NEVER,
            pause_max: Duration::from_millis(1),
            should_yield: Chance::NEVER,
            late_yield: Chance::NEVER,
            late_yield_max: Duration::from_millis(1),
            wall_clock: Chance::NEVER,
            mesh_delay_max: Duration::from_micros(20),
        }
    }

    /// A different mixture for each seed: each kind is off in about half the seeds, so that one fault does not
    /// hide behind another. Disk errors, which end the process, are rarer; bit flips are off, and so is want of
    /// room, which workloads have to expect.
    #[must_use]
    pub fn swarm(seed: u64) -> Self {
        let mut prng = Prng::new(seed).fork("swarm");
        let mut mixed = |share_on: u32, most: u32| {
            let on = prng.chance(Chance(share_on));
            let size = Chance(1 + prng.below(u64::from(most)) as u32);
            if on { size } else { Chance::NEVER }
        };
        Self {
            slow_operation: mixed(500_000, 100_000),
            slow_factor_max: 2 + u64::from(mixed(1_000_000, 500).0),
            short_write: mixed(500_000, 200_000),
            short_read: mixed(500_000, 200_000),
            write_error: mixed(150_000, 2_000),
            fill_no_space: Chance::NEVER,
            read_error: mixed(150_000, 2_000),
            flush_error: mixed(150_000, 2_000),
            metadata_error: mixed(100_000, 5_000),
            bit_flip: Chance::NEVER,
            stale_space: mixed(500_000, 500_000),
            torn_sector: mixed(500_000, 500_000),
            reordered_task: mixed(750_000, 1_000_000),
            spurious_poll: mixed(300_000, 20_000),
            pause: mixed(500_000, 2_000),
            pause_max: Duration::from_micros(u64::from(mixed(1_000_000, 50_000).0)),
            should_yield: mixed(500_000, 500_000),
            wall_clock: mixed(500_000, 50_000),
            mesh_delay_max: Duration::from_micros(1 + u64::from(mixed(750_000, 2_000).0)),
            late_yield: mixed(400_000, 200_000),
            late_yield_max: Duration::from_micros(1 + u64::from(mixed(1_000_000, 2_000).0)),
            slow_file: mixed(400_000, 400_000),
            slow_file_max: Duration::from_micros(u64::from(mixed(1_000_000, 20_000).0)),
            stuck_read: mixed(400_000, 200_000),
            stuck_read_max: Duration::from_micros(u64::from(mixed(1_000_000, 500_000).0)),
        }
    }

    /// This mixture without the errors that end a process or refuse a start: for a last check that must succeed.
    #[must_use]
    pub fn without_errors(self) -> Self {
        Self {
            write_error: Chance::NEVER,
            fill_no_space: Chance::NEVER,
            read_error: Chance::NEVER,
            flush_error: Chance::NEVER,
            metadata_error: Chance::NEVER,
            bit_flip: Chance::NEVER,
            ..self
        }
    }
}

/// One simulated machine.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// What goes wrong.
    pub faults: FaultConfig,
    /// Size of the disk. Bytes.
    pub disk_capacity: u64,
    /// Task polls of one process after which it counts as hung.
    pub polls_max: u64,
    /// Polls for which a process goes on after [`Runtime::halt`](thalweg_engine::io::Runtime::halt), as an
    /// embedder's would.
    pub polls_after_halt: u64,
    /// Operations kept to be printed with a failure.
    pub trace_size: usize,
    /// Command that replays a seed, printed with a failure; `{seed}` stands for the seed.
    pub replay: String,
}

impl WorldConfig {
    /// A machine on which nothing goes wrong until it is killed.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            faults: FaultConfig::calm(),
            disk_capacity: 4 << 30,
            polls_max: 5_000_000,
            polls_after_halt: 0,
            trace_size: 200,
            replay: "cargo run -p thalweg-sim -- --seed {seed}".to_owned(),
        }
    }

    /// A machine with the mixture of faults of `seed`; see [`FaultConfig::swarm`].
    #[must_use]
    pub fn swarm(seed: u64) -> Self {
        let mut prng = Prng::new(seed).fork("machine");
        let polls_after_halt = if prng.coin() { 0 } else { prng.below(500) };
        Self { faults: FaultConfig::swarm(seed), polls_after_halt, ..Self::calm() }
    }
}
