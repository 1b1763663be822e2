//! The task that writes frames.

use std::rc::Rc;
use std::time::Duration;

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

/// Begins every write and flush that can begin now. Returns whether there was one.
pub(in crate::log) fn pump<R: Runtime>(shared: &Rc<Shared<R>>) -> bool {
    let mut begun = false;
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
                        Ok(()) => written(&task, sequence).await,
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
        begun = true;
    }
    shared.wake_ready();
    begun
}

/// Keeps the device busy, then commits what has become durable.
async fn go_on<R: Runtime>(shared: &Rc<Shared<R>>) {
    if pump(shared) {
        // What has begun reaches the device when this shard next looks at it. Without this pause that would be
        // after all who wait for the commit have had their turn, and built the frames that come next.
        shared.runtime.sleep(Duration::ZERO).await;
    }
    if !shared.is_failed() {
        commit_ready(shared);
    }
}

async fn written<R: Runtime>(shared: &Rc<Shared<R>>, sequence: Sequence) {
    if shared.is_failed() {
        return;
    }
    if shared.tail.borrow_mut().tracker.complete(sequence) {
        shared.runtime.mark("out-of-order-completion");
    }
    go_on(shared).await;
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
    go_on(shared).await;
}
