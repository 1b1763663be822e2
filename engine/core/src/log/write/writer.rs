//! The task that writes frames.

use std::rc::Rc;

use super::commit_ready;
use super::tail::Action;
use crate::io::{File, Priority, Runtime};
use crate::log::segment::Segment;
use crate::log::shared::Shared;
use crate::model::Sequence;

/// Waits for appends and writes them, until the log stops.
///
/// Appends only wake this task: everything that is appended before it runs goes into one frame.
pub(in crate::log) async fn run_writer<R: Runtime>(shared: Rc<Shared<R>>) {
    while !shared.is_stopped() {
        shared.writer.wait().await;
        pump(&shared);
    }
}

/// Begins every write and flush that can begin now.
pub(in crate::log) fn pump<R: Runtime>(shared: &Rc<Shared<R>>) {
    while !shared.is_failed() {
        let action = shared.tail.borrow_mut().next_action(&shared.runtime);
        match action {
            Some(Action::Write { segment, buffer, position, sequence, rolled }) => {
                if rolled {
                    shared.rolled();
                }
                let write = segment.open_file().write_at(buffer, position);
                let task = Rc::clone(shared);
                shared.spawn(Priority::Foreground, async move {
                    let result = write.await;
                    match result {
                        Ok(()) => written(&task, sequence),
                        Err(error) => task.fail(&format!("write of frame {sequence} failed: {error}")),
                    }
                });
            }
            Some(Action::Flush { segments }) => {
                let task = Rc::clone(shared);
                shared.spawn(Priority::Foreground, async move { flush(&task, segments).await });
            }
            None => break,
        }
    }
    shared.wake_ready();
}

fn written<R: Runtime>(shared: &Rc<Shared<R>>, sequence: Sequence) {
    if shared.is_failed() {
        return;
    }
    if shared.tail.borrow_mut().tracker.complete(sequence) {
        shared.runtime.mark("out-of-order-completion");
    }
    commit_ready(shared);
    pump(shared);
}

/// Flushes the segments that hold what was written when this flush began.
async fn flush<R: Runtime>(shared: &Rc<Shared<R>>, segments: Vec<Rc<Segment<R>>>) {
    for segment in segments {
        let flush = segment.open_file().flush();
        if let Err(error) = flush.await {
            shared.fail(&format!("flush of segment {} failed: {error}", segment.id));
            return;
        }
    }
    if shared.is_failed() {
        return;
    }
    shared.count(|status| status.flushes += 1);
    shared.tail.borrow_mut().tracker.end_flush();
    commit_ready(shared);
    pump(shared);
}
