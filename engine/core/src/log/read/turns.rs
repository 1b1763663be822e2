//! Who may read from the disk: a few at a time, in the order in which they asked, so that an append's write finds the
//! device free.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::io::Signal;
use crate::limits::DISK_READS_MAX;

/// Turns of readings, [`DISK_READS_MAX`] at a time. Whoever waits is carried to the end: it is a task of its own.
#[derive(Default)]
pub(in crate::log) struct ReadTurns {
    taken: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Signal>>>,
}

/// A turn; it ends when this is dropped.
pub(super) struct Turn<'a>(&'a ReadTurns);

impl ReadTurns {
    pub(super) async fn take(&self) -> Turn<'_> {
        if self.taken.get() < DISK_READS_MAX {
            self.taken.set(self.taken.get() + 1);
        } else {
            let signal = Rc::new(Signal::default());
            self.waiting.borrow_mut().push_back(Rc::clone(&signal));
            signal.wait().await;
        }
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // The turn goes to the one who has waited for longest.
        match self.0.waiting.borrow_mut().pop_front() {
            Some(next) => next.give(),
            None => self.0.taken.set(self.0.taken.get() - 1),
        }
    }
}
