//! Keeps executors from sleeping while they have work.
//!
//! Glommio (0.9.0) parks an executor whose tasks can run, if its time slice ends, or another thread's wake-up
//! arrives, between its look at I/O and its first task: `run_task_queues` then answers "nothing ran", which
//! `run` takes for "nothing can run". The executor sleeps until something else wakes it, which may be never.
//! It happens when the operating system takes the core away at that moment; under load, within minutes.
//!
//! So a thread watches the executors. One that makes progress is left alone; one that does not is woken: a
//! few times at once, then rarely, because it is most likely idle.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use glommio::TaskQueueHandle;

/// Time between two looks while some executor makes progress: the longest that a busy one is stuck.
const LOOK: Duration = Duration::from_millis(1);

/// Looks without progress after which an executor counts as idle.
const QUIET_LOOKS: u32 = 8;

/// An idle executor is woken once in so many looks; with all of them idle there are fewer looks instead.
const IDLE_LOOKS: u32 = 8;

/// What one executor shows to the watching thread.
#[derive(Default)]
pub(crate) struct Pulse {
    /// Polls of its tasks. Written by the executor only.
    progress: AtomicU64,
    /// Of a task that does nothing; there from the executor's first turn to its end.
    waker: Mutex<Option<Waker>>,
}

impl Pulse {
    /// Spawns the task that is woken. It waits until the executor ends.
    pub(crate) fn install(self: &Arc<Self>, queue: TaskQueueHandle) {
        let pulse = Arc::clone(self);
        let task = std::future::poll_fn(move |context| {
            let mut waker = pulse.waker.lock().unwrap_or_else(PoisonError::into_inner);
            waker.get_or_insert_with(|| context.waker().clone());
            Poll::<()>::Pending
        });
        glommio::executor()
            .spawn_local_into(task, queue)
            .expect("the queue lives as long as its executor")
            .detach();
    }

    /// Called when the executor has stopped: up to its last turn it can be put to sleep with work to do. The task
    /// that is woken is never freed then, but is as small as one can be.
    pub(crate) fn retire(&self) {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Notes that a task ran.
    pub(crate) fn beat(&self) {
        // One writer: no need for an atomic addition.
        self.progress.store(self.progress.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn kick(&self) {
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }
}

/// Watches the executors of `pulses` until the other ends of `running` have gone.
pub(crate) fn watch(pulses: &[Arc<Pulse>], running: &Receiver<()>) {
    let mut watched: Vec<(u64, u32)> = vec![(0, 0); pulses.len()];
    loop {
        let all_idle = watched.iter().all(|&(_, quiet)| quiet >= QUIET_LOOKS);
        let pause = if all_idle { LOOK * IDLE_LOOKS } else { LOOK };
        if running.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        for (pulse, (seen, quiet)) in pulses.iter().zip(&mut watched) {
            let progress = pulse.progress.load(Ordering::Relaxed);
            if progress != *seen {
                (*seen, *quiet) = (progress, 0);
                continue;
            }
            *quiet = quiet.wrapping_add(1).max(1);
            if all_idle || *quiet <= QUIET_LOOKS || quiet.is_multiple_of(IDLE_LOOKS) {
                pulse.kick();
            }
        }
    }
}
