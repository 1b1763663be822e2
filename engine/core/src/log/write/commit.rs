//! From durable to committed.

use std::rc::Rc;

use crate::io::{Buffer, Runtime};
use crate::limits::BLOCK_SIZE;
use crate::log::CommittedFrame;
use crate::log::checkpoint::growth_of_all;
use crate::log::format::{FrameHeader, ReplayStart};
use crate::log::index::Applied;
use crate::log::shared::Shared;
use crate::model::{Position, Sequence};

/// The commit rule: what is committed, given what is durable here. One log is its own majority.
fn committed_of(durable: Sequence) -> Sequence {
    durable
}

/// Commits every frame that the commit rule allows: the index takes it, then the state, then those who wait
/// for it are woken.
pub(in crate::log) fn commit_ready<R: Runtime>(shared: &Rc<Shared<R>>) {
    loop {
        let frame = {
            let mut tail = shared.tail.borrow_mut();
            let committed = committed_of(tail.tracker.durable());
            match tail.in_flight.front() {
                Some(front) if front.header.sequence <= committed => tail.in_flight.pop_front(),
                _ => None,
            }
        };
        let Some(frame) = frame else { break };
        shared.tail.borrow_mut().checkpoint.commit(growth_of_all(&frame.entries));
        let applied = shared.index.borrow_mut().apply(&frame.header, &frame.entries, frame.buffer.bytes());
        if applied.batches {
            shared.cache.borrow_mut().insert(&frame.header, Rc::clone(&frame.buffer), frame.capacity);
        }
        shared.count(|status| {
            status.frames += 1;
            status.entries += frame.entries.len() as u64;
            status.bytes += u64::from(frame.header.length);
        });
        shared.committed(goes_on_behind(&frame.header, &applied), frame.entries.is_empty());
        let view = CommittedFrame::new(&frame.header, &frame.entries, frame.buffer.bytes(), false);
        shared.state.borrow_mut().apply(&view);
        shared.wake_committed();
        shared.after_commit(&applied);
        let mut tail = shared.tail.borrow_mut();
        if tail.spare.len() < crate::limits::WRITES_IN_FLIGHT_MAX {
            tail.spare.push(frame.entries);
        }
    }
}

/// Where the log goes on behind a frame.
pub(in crate::log) fn goes_on_behind(header: &FrameHeader, applied: &Applied) -> ReplayStart {
    let here = (header.segment, header.generation, header.end());
    let next = applied.rolled.map(|(segment, generation)| (segment, generation, Position(BLOCK_SIZE as u32)));
    let (segment, generation, position) = next.unwrap_or(here);
    let previous_checksum = header.checksum;
    ReplayStart { sequence: header.sequence, previous_checksum, segment, generation, position }
}
