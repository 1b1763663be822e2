//! How large the next checkpoint may become, and that there is room for it before it does.
//!
//! # Why there is always room for a checkpoint
//!
//! Both checkpoint files have a size, durably, that the next checkpoint does not exceed, so that writing it takes no
//! room. The next checkpoint is bounded by the last one, plus what the entries since then may have added: [`growth_of`]
//! each. So a checkpoint that is due can be made whatever else is on the disk, and it is what the bound is measured
//! anew by. Appends that would raise the bound above the size of the files are refused, as busy at first: the files
//! are made larger, long before in the usual case. Where there is no room for that, a checkpoint tells whether the bound
//! was too high; if it was not, a segment beyond the reserve is given up for it; and if there is none, there is no room.
//!
//! Entries that only let go are never refused: they add nothing. Nor do segments that they take from those behind.

use std::path::Path;
use std::rc::Rc;

use super::checkpoint_path;
use crate::io::{DiskError, File, FileKind, OpenMode, Priority, Runtime, open_existing};
use crate::limits::{
    BLOCK_SIZE, CHECKPOINT_ENTRY_GROWTH, CHECKPOINT_ROOM_MAX_AT_FIRST, CHECKPOINT_ROOM_MIN,
    CHECKPOINT_SEGMENT_GROWTH, CHECKPOINT_SIZE_MIN, NO_SPACE_RETRY_DELAY,
};
use crate::log::format::{Entry, EntryKind};
use crate::log::segment::give_up_segment;
use crate::log::shared::Shared;

/// What an entry of this kind with a payload of `size` bytes adds to a checkpoint at most. Bytes.
pub(in crate::log) fn growth_of(kind: u16, size: usize) -> u64 {
    match EntryKind::from_raw(kind) {
        // The store segment was counted while it was spare, and what lies in it, where it lay before.
        Some(EntryKind::SegmentRetired | EntryKind::Regrouped) => 0,
        Some(kind) if kind.lets_go() => 0,
        Some(EntryKind::Roll) => CHECKPOINT_SEGMENT_GROWTH,
        // Their payloads stay where they are.
        Some(EntryKind::Batch | EntryKind::OutboxBatch | EntryKind::CompactedBatch) => {
            CHECKPOINT_ENTRY_GROWTH
        }
        // Many small rows, which go into several slices.
        Some(EntryKind::OffsetsCommitted) => CHECKPOINT_ENTRY_GROWTH + size as u64 + size as u64 / 256,
        _ => CHECKPOINT_ENTRY_GROWTH + size as u64,
    }
}

/// What the entries of a frame add at most. Bytes.
pub(in crate::log) fn growth_of_all(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| growth_of(entry.kind, entry.length as usize)).sum()
}

/// The bound of the next checkpoint, and the room for it. Unit: bytes of one file.
#[derive(Debug)]
pub(in crate::log) struct CheckpointRoom {
    /// Both files have this size, durably.
    reserved: u64,
    /// Size of the last checkpoint.
    measured: u64,
    /// What was appended since the frames that it covers adds at most.
    growth: u64,
    /// Of that, what is not committed yet.
    open: u64,
    /// What was committed of the growth when the checkpoint under way began; `None` if none is.
    begun: Option<u64>,
    /// Something was committed since the last checkpoint began: another one may be smaller than the bound.
    stale: bool,
    /// What a refused append needs; 0 if none was refused.
    wanted: u64,
    /// The last attempt to make the files larger found no room.
    no_space: bool,
}

impl CheckpointRoom {
    /// `measured`: size of the checkpoint in force, 0 without one; `growth`: of the entries behind it.
    pub(in crate::log) fn new(reserved: u64, measured: u64, growth: u64) -> Self {
        let measured = measured.max(CHECKPOINT_SIZE_MIN);
        let stale = true;
        Self { reserved, measured, growth, open: 0, begun: None, stale, wanted: 0, no_space: false }
    }

    /// What the next checkpoint has at most, if entries that add `more` are appended and the log goes on in each of
    /// the `spare` segments.
    fn bound(&self, more: u64, spare: usize) -> u64 {
        self.measured + self.growth + more + (spare as u64 + 1) * CHECKPOINT_SEGMENT_GROWTH
    }

    /// Whether there is room for what entries add that add `more`; if not, it is wanted from now on.
    pub(in crate::log) fn allows(&mut self, more: u64, spare: usize) -> bool {
        let bound = self.bound(more, spare);
        if bound > self.reserved {
            self.wanted = self.wanted.max(bound);
        }
        bound <= self.reserved
    }

    /// Whether an append waits for room.
    pub(in crate::log) fn is_wanted(&self) -> bool {
        self.wanted > 0
    }

    /// Whether there will be none for a while.
    pub(in crate::log) fn is_full(&self) -> bool {
        self.no_space && self.is_measured()
    }

    /// Whether another checkpoint would not lower the bound.
    fn is_measured(&self) -> bool {
        !self.stale && self.open == 0 && self.begun.is_none()
    }

    /// Whether a checkpoint is to tell that the bound is too high.
    pub(super) fn is_to_be_measured(&self) -> bool {
        self.is_wanted() && self.no_space && self.stale
    }

    /// Entries that add `growth` are in a frame to come.
    pub(in crate::log) fn append(&mut self, growth: u64) {
        self.growth += growth;
        self.open += growth;
    }

    /// A frame is committed, whose entries add `growth`.
    pub(in crate::log) fn commit(&mut self, growth: u64) {
        assert!(growth <= self.open, "what is committed was appended");
        self.open -= growth;
        self.stale = true;
    }

    /// A checkpoint begins of what is committed.
    pub(super) fn begin(&mut self) {
        self.begun = Some(self.growth - self.open);
        self.stale = false;
    }

    /// The checkpoint that began last is in force, and has `size` bytes.
    pub(in crate::log) fn end(&mut self, size: u64, spare: usize) {
        debug_assert!(size <= self.bound(0, spare), "a checkpoint of {size} bytes: {self:?}");
        self.measured = size.max(CHECKPOINT_SIZE_MIN);
        self.growth -= self.begun.take().expect("a checkpoint ends after it began");
        // Whoever waits looks again, and if that is not enough, so does the keeper.
        self.wanted = 0;
        self.no_space = false;
    }

    /// The checkpoint that began last, if it has not ended, was not made.
    pub(super) fn abandon(&mut self) {
        self.begun = None;
    }

    /// The size that the files are to be given, if it is time.
    fn target(&self, spare: usize) -> Option<u64> {
        let needed = self.bound(0, spare).max(self.wanted);
        let due = !self.no_space && needed > self.reserved / 2;
        // Twice what it was: as the state grows it is time ever more rarely, and long before appends are refused.
        // Where one waits, a little has to do first.
        let usual = if self.is_wanted() { needed + needed / 4 } else { 2 * self.reserved };
        due.then(|| usual.max(needed).next_multiple_of(BLOCK_SIZE as u64))
    }

    /// Whether the files are to be made larger, or a checkpoint is to be made for them.
    pub(in crate::log) fn is_due(&self, spare: usize) -> bool {
        self.target(spare).is_some() || self.is_to_be_measured()
    }

    fn grown(&mut self, size: u64) {
        self.reserved = size;
        self.wanted = 0;
    }
}

/// The size that the checkpoint files of a new log with segments of `segment_size` bytes have. Bytes.
fn size_at_first(segment_size: u32) -> u64 {
    u64::from(segment_size / 32).clamp(CHECKPOINT_ROOM_MIN, CHECKPOINT_ROOM_MAX_AT_FIRST)
}

/// Makes the checkpoint files of a new log; the caller makes their names durable.
pub(in crate::log) async fn make_checkpoint_files<R: Runtime>(
    runtime: &R,
    folder: &Path,
    segment_size: u32,
) -> Result<(), DiskError> {
    for number in 0..2 {
        grow(runtime, folder, number, size_at_first(segment_size)).await?;
    }
    Ok(())
}

/// The size that both checkpoint files have; durable on return, as far as their names are.
pub(in crate::log) async fn checkpoint_room<R: Runtime>(
    runtime: &R,
    folder: &Path,
) -> Result<u64, DiskError> {
    let mut reserved = u64::MAX;
    for number in 0..2 {
        let path = checkpoint_path(folder, number);
        let size = match open_existing(runtime, &path, FileKind::Meta).await? {
            Some(file) => {
                file.flush().await?;
                file.len().await?
            }
            None => 0,
        };
        reserved = reserved.min(size / BLOCK_SIZE as u64 * BLOCK_SIZE as u64);
    }
    Ok(reserved)
}

/// Gives a checkpoint file at least `size` bytes, durable on return.
async fn grow<R: Runtime>(runtime: &R, folder: &Path, number: u32, size: u64) -> Result<(), DiskError> {
    let path = checkpoint_path(folder, number);
    let file = runtime.open(&path, FileKind::Meta, OpenMode::Create).await?;
    if file.len().await? < size {
        file.allocate(size).await?;
    }
    file.flush().await
}

/// Makes both checkpoint files larger if it is time, so that the next checkpoint finds room.
pub(super) async fn make_room_if_due<R: Runtime>(shared: &Rc<Shared<R>>) {
    loop {
        let target = {
            let tail = shared.tail.borrow();
            tail.checkpoint.target(tail.spare())
        };
        let Some(target) = target.filter(|_| !shared.is_closed()) else { return };
        match grow_both(shared, target).await {
            Ok(()) => {
                shared.runtime.mark("checkpoint-room");
                shared.tail.borrow_mut().checkpoint.grown(target);
            }
            Err(DiskError::NoSpace { .. }) => no_space(shared).await,
            // A flush that failed is not tried again.
            Err(error) => shared.fail(&format!("a checkpoint file could not be made larger: {error}")),
        }
        shared.wake_ready();
    }
}

async fn grow_both<R: Runtime>(shared: &Shared<R>, size: u64) -> Result<(), DiskError> {
    for number in 0..2 {
        grow(&shared.runtime, &shared.folder, number, size).await?;
    }
    shared.runtime.sync_folder(&shared.folder).await
}

/// There is no room for larger checkpoint files: gives up a segment for it if an append waits and nothing else helps, or
/// waits until that may have changed.
async fn no_space<R: Runtime>(shared: &Rc<Shared<R>>) {
    let helpless = {
        let tail = shared.tail.borrow();
        tail.checkpoint.is_wanted() && tail.checkpoint.is_measured()
    };
    if helpless {
        match give_up_segment(shared).await {
            Ok(true) => return shared.runtime.mark("segment-given-up"),
            Ok(false) => {}
            Err(error) => return shared.fail(&format!("a segment could not be removed: {error}")),
        }
    }
    shared.runtime.mark("checkpoint-no-space");
    shared.tail.borrow_mut().checkpoint.no_space = true;
    let weak = Rc::downgrade(shared);
    let runtime = shared.runtime.clone();
    shared.runtime.spawn(Priority::Background, async move {
        runtime.sleep(NO_SPACE_RETRY_DELAY).await;
        if let Some(shared) = weak.upgrade() {
            shared.tail.borrow_mut().checkpoint.no_space = false;
            shared.keeper.give();
        }
    });
}
