//! The task behind the foreground: footers, checkpoints, retirement.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::room::make_room_if_due;
use super::write::write_checkpoint;
use crate::io::Runtime;
use crate::log::CheckpointError;
use crate::log::segment::{retire_dead, write_footers};
use crate::log::shared::Shared;

/// Who asks for checkpoints, and how the last one ended.
#[derive(Debug, Default)]
pub(in crate::log) struct CheckpointRequests {
    asked: Cell<u64>,
    done: Cell<u64>,
    outcome: RefCell<Option<CheckpointError>>,
    /// Bytes of frames when the last checkpoint began.
    begun_at: Cell<u64>,
}

impl CheckpointRequests {
    /// `behind`: bytes of frames already behind the checkpoint in force.
    pub(in crate::log) fn new(behind: u64) -> Self {
        let requests = Self::default();
        requests.begun_at.set(0u64.wrapping_sub(behind));
        requests
    }

    /// Asks for a checkpoint that begins from now on; returns its number.
    pub(in crate::log) fn ask(&self) -> u64 {
        self.asked.set(self.asked.get() + 1);
        self.asked.get()
    }

    /// How the checkpoint `number` ended, if it did.
    pub(in crate::log) fn outcome(&self, number: u64) -> Option<Result<(), CheckpointError>> {
        (self.done.get() >= number).then(|| self.outcome.borrow().clone().map_or(Ok(()), Err))
    }

    /// Whether so many `bytes` of frames make one due.
    pub(in crate::log) fn is_due(&self, bytes: u64, interval: u64) -> bool {
        bytes.wrapping_sub(self.begun_at.get()) >= interval
    }
}

/// Does what is due, whenever it is woken, until the log stops.
pub(in crate::log) async fn run_keeper<R: Runtime>(shared: Rc<Shared<R>>) {
    while !shared.is_stopped() {
        write_footers(&shared).await;
        make_room_if_due(&shared).await;
        checkpoint_if_due(&shared).await;
        retire_dead(&shared);
        shared.keeper.wait().await;
    }
}

async fn checkpoint_if_due<R: Runtime>(shared: &Rc<Shared<R>>) {
    let requests = &shared.checkpoints;
    loop {
        let asked = requests.asked.get();
        let due = requests.is_due(shared.status_bytes(), shared.options.checkpoint_interval);
        let measure = shared.tail.borrow().checkpoint.is_to_be_measured();
        let wanted = asked > requests.done.get() || due || measure || would_give_room(shared);
        if shared.is_closed() || !wanted {
            return;
        }
        requests.begun_at.set(shared.status_bytes());
        let result = write_checkpoint(shared).await;
        if shared.is_failed() {
            return;
        }
        if result.is_ok() {
            shared.count(|status| status.checkpoints += 1);
        }
        let failed = result.is_err();
        requests.outcome.replace(result.err());
        requests.done.set(asked);
        shared.tail.borrow_mut().checkpoint.abandon();
        shared.changed.wake_all();
        shared.wake_ready();
        if failed {
            return;
        }
    }
}

/// Whether the disk is full and another checkpoint would let a dead segment be used again.
fn would_give_room<R: Runtime>(shared: &Rc<Shared<R>>) -> bool {
    if !shared.tail.borrow().no_space {
        return false;
    }
    let (covered, last) = (shared.covered(), shared.last().sequence);
    let index = shared.index.borrow();
    index.segments().values().any(|state| {
        let dead = state.is_dead() && !state.retiring;
        dead && !state.is_covered(covered) && state.last <= last
    })
}
