//! Tasks, and which of them are ready. One list for all shards: chance decides who goes next.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use thalweg_engine::io::Priority;
use thalweg_engine::model::ShardId;

use crate::config::Chance;
use crate::prng::Prng;

pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// One life of a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TaskKey {
    slot: usize,
    life: u64,
}

impl TaskKey {
    pub(crate) fn slot(self) -> usize {
        self.slot
    }
}

/// Keys of woken tasks, in the order woken. A mutex because [`Wake`] asks for `Sync`; there is one thread.
type Woken = Arc<Mutex<Vec<TaskKey>>>;

struct TaskWaker {
    key: TaskKey,
    woken: Woken,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.key);
    }
}

struct Slot {
    life: u64,
    shard: ShardId,
    priority: Priority,
    main: bool,
    queued: bool,
    waker: Option<Waker>,
    /// Absent while the task is polled, and in a free slot.
    task: Option<Task>,
}

pub(crate) struct Picked {
    pub(crate) key: TaskKey,
    pub(crate) shard: ShardId,
    pub(crate) task: Task,
    pub(crate) waker: Waker,
    pub(crate) out_of_turn: bool,
}

#[derive(Default)]
pub(crate) struct Executor {
    slots: Vec<Slot>,
    free: Vec<usize>,
    ready: Vec<TaskKey>,
    woken: Woken,
    lives: u64,
    mains: usize,
}

impl Executor {
    pub(crate) fn add(&mut self, shard: ShardId, priority: Priority, main: bool, task: Task) {
        self.lives += 1;
        let index = self.free.pop().unwrap_or(self.slots.len());
        let key = TaskKey { slot: index, life: self.lives };
        let waker = Waker::from(Arc::new(TaskWaker { key, woken: Arc::clone(&self.woken) }));
        let slot = Slot {
            life: self.lives,
            shard,
            priority,
            main,
            queued: true,
            waker: Some(waker),
            task: Some(task),
        };
        if index == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[index] = slot;
        }
        self.mains += usize::from(main);
        self.ready.push(key);
    }

    /// Mains that have not ended.
    pub(crate) fn mains(&self) -> usize {
        self.mains
    }

    /// Tasks that have not ended.
    pub(crate) fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes the task to be polled next out of its slot; `None` if none of a shard that is not `paused` is
    /// ready.
    pub(crate) fn pick(
        &mut self,
        prng: &mut Prng,
        reordered: Chance,
        paused: impl Fn(ShardId) -> bool,
    ) -> Option<Picked> {
        self.drain_woken();
        let candidates: Vec<usize> =
            (0..self.ready.len()).filter(|&at| !paused(self.slots[self.ready[at].slot].shard)).collect();
        // Background tasks wait behind foreground ones, but not for ever.
        let first = match prng.below(8) {
            0 => candidates.first().copied(),
            _ => self.first_in_turn(&candidates),
        }?;
        let chosen =
            if candidates.len() > 1 && prng.chance(reordered) { *prng.pick(&candidates) } else { first };
        let key = self.ready.remove(chosen);
        let slot = &mut self.slots[key.slot];
        slot.queued = false;
        let (Some(task), Some(waker)) = (slot.task.take(), slot.waker.clone()) else {
            unreachable!("a queued task lies in its slot")
        };
        Some(Picked { key, shard: slot.shard, task, waker, out_of_turn: chosen != first })
    }

    /// Puts some task that waits into the ready list; false if there is none.
    pub(crate) fn wake_any(&mut self, prng: &mut Prng) -> bool {
        self.drain_woken();
        let waiting: Vec<usize> = (0..self.slots.len())
            .filter(|&at| self.slots[at].task.is_some() && !self.slots[at].queued)
            .collect();
        if waiting.is_empty() {
            return false;
        }
        let slot = *prng.pick(&waiting);
        self.enqueue(TaskKey { slot, life: self.slots[slot].life });
        true
    }

    /// Puts a polled task back.
    pub(crate) fn put_back(&mut self, key: TaskKey, task: Task) {
        self.slots[key.slot].task = Some(task);
    }

    /// Frees the slot of a task that has ended.
    pub(crate) fn end(&mut self, key: TaskKey) {
        let slot = &mut self.slots[key.slot];
        slot.waker = None;
        slot.life = 0;
        self.mains -= usize::from(slot.main);
        self.free.push(key.slot);
    }

    /// Takes every task, to be dropped outside any borrow, in the order of their slots.
    pub(crate) fn take_all(&mut self) -> Vec<Task> {
        self.free.clear();
        self.ready.clear();
        self.mains = 0;
        self.woken = Woken::default();
        self.slots.drain(..).filter_map(|slot| slot.task).collect()
    }

    fn first_in_turn(&self, candidates: &[usize]) -> Option<usize> {
        let foreground =
            |at: &&usize| matches!(self.slots[self.ready[**at].slot].priority, Priority::Foreground);
        candidates.iter().find(foreground).or(candidates.first()).copied()
    }

    fn drain_woken(&mut self) {
        let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
        for key in woken {
            self.enqueue(key);
        }
    }

    fn enqueue(&mut self, key: TaskKey) {
        let Some(slot) = self.slots.get_mut(key.slot) else { return };
        if slot.life == key.life && !slot.queued {
            slot.queued = true;
            self.ready.push(key);
        }
    }
}
