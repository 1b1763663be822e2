//! Tasks, polled in the order in which they were woken.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use thalweg_engine::io::Priority;

pub(super) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Numbers of tasks, in the order woken. A mutex because [`Wake`] asks for `Sync`; there is one thread.
type Woken = Arc<Mutex<VecDeque<usize>>>;

struct TaskWaker {
    number: usize,
    woken: Woken,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.number);
    }
}

struct Slot {
    priority: Priority,
    waker: Waker,
    /// Absent while the task is polled, and when it has ended.
    task: Option<Task>,
}

/// A task on its way to being polled.
pub(super) struct Picked {
    pub(super) number: usize,
    pub(super) priority: Priority,
    pub(super) waker: Waker,
    pub(super) task: Task,
}

#[derive(Default)]
pub(super) struct Tasks {
    /// Never used again: a life is short.
    slots: Vec<Slot>,
    woken: Woken,
}

impl Tasks {
    pub(super) fn add(&mut self, priority: Priority, task: Task) {
        let number = self.slots.len();
        let waker = Waker::from(Arc::new(TaskWaker { number, woken: Arc::clone(&self.woken) }));
        waker.wake_by_ref();
        self.slots.push(Slot { priority, waker, task: Some(task) });
    }

    /// The task that was woken first; `None` if all wait.
    pub(super) fn pick(&mut self) -> Option<Picked> {
        loop {
            let number = self.woken.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
            let Slot { priority, waker, task } = &mut self.slots[number];
            if let Some(task) = task.take() {
                return Some(Picked { number, priority: *priority, waker: waker.clone(), task });
            }
        }
    }

    pub(super) fn put_back(&mut self, number: usize, task: Task) {
        self.slots[number].task = Some(task);
    }

    /// Takes every task, to be dropped outside any borrow.
    pub(super) fn take_all(&mut self) -> Vec<Task> {
        self.slots.iter_mut().filter_map(|slot| slot.task.take()).collect()
    }
}
