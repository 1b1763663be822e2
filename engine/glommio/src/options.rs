//! What an embedder may choose about the executors.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Memory for buffers, unless something else is chosen. Bytes.
pub(crate) const REGISTERED_MEMORY_DEFAULT: usize = 16 << 20;

/// Called with the reason when a shard halts, instead of ending the process.
pub type HaltHook = Arc<dyn Fn(&str) + Send + Sync>;

/// Exit code of a process that ended because going on could have lost acknowledged data (`EX_SOFTWARE`).
pub(crate) const HALT_EXIT_CODE: i32 = 70;

/// Settings of the executors; the same for each of them.
#[derive(Clone)]
pub struct RuntimeOptions {
    /// Use the page cache instead of direct I/O, for file systems that have no direct I/O. Flushes still
    /// reach the device. Default: false.
    pub buffered: bool,
    /// Bind each executor to a core of its own when there are enough. Default: true.
    pub pin: bool,
    /// Memory per executor that buffers come from as long as it lasts, registered with io_uring where the limit
    /// of locked memory permits. Unit: bytes. Default (`None`): for an [`Engine`](crate::Engine), as
    /// much as its tail cache may hold and 32 MiB; without one, 16 MiB.
    pub registered_memory_bytes: Option<usize>,
    /// Longest time that a task queue runs before the executor looks at I/O again, provided that its tasks
    /// ask `should_yield`. Default: 1 ms.
    pub time_slice: Duration,
    /// How long an idle executor looks for work before it parks. Saves the wake-up (tens of microseconds) at
    /// the price of a busy core. Default: zero.
    pub spin_before_park: Duration,
    /// What a halt does. Default (`None`): end the process with exit code 70.
    pub on_halt: Option<HaltHook>,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            buffered: false,
            pin: true,
            registered_memory_bytes: None,
            time_slice: Duration::from_millis(1),
            spin_before_park: Duration::ZERO,
            on_halt: None,
        }
    }
}

impl fmt::Debug for RuntimeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeOptions")
            .field("buffered", &self.buffered)
            .field("pin", &self.pin)
            .field("registered_memory_bytes", &self.registered_memory_bytes)
            .field("time_slice", &self.time_slice)
            .field("spin_before_park", &self.spin_before_park)
            .field("on_halt", &self.on_halt.is_some())
            .finish()
    }
}
