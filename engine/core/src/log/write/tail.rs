//! The growing end of the log: the open frame, closed frames that wait, frames in flight.
//!
//! Decides what to write and when; [`writer`](super::writer) does it.

use std::collections::VecDeque;
use std::rc::Rc;

use super::builder::{FrameBuilder, SealedFrame};
use super::durability::DurabilityTracker;
use super::{Purpose, Room};
use crate::io::Runtime;
use crate::limits::{BLOCK_SIZE, FRAMES_QUEUED_MAX, SEGMENTS_KEPT, SEGMENTS_RESERVED, WRITES_IN_FLIGHT_MAX};
use crate::log::checkpoint::{CheckpointRoom, growth_of};
use crate::log::format::{Entry, EntryKind, FrameHeader, ReplayStart};
use crate::log::segment::Segment;
use crate::log::{AppendError, DraftEntry, LogOptions};
use crate::model::{Incarnation, LogId, Position, SegmentId, Sequence};

/// A frame whose sequence number is given, and whose place is planned.
enum Queued<B> {
    Frame {
        sequence: Sequence,
        sealed: SealedFrame<B>,
    },
    /// The frame that ends a segment; made when the next segment is known.
    Roll {
        sequence: Sequence,
    },
}

/// A frame that was issued and is not yet committed.
pub(super) struct InFlight<R: Runtime> {
    pub(super) header: FrameHeader,
    pub(super) entries: Vec<Entry>,
    pub(super) buffer: Rc<R::Buffer>,
    pub(super) capacity: usize,
    pub(super) segment: Rc<Segment<R>>,
}

/// What is to be done next.
pub(super) enum Action<R: Runtime> {
    Write { segment: Rc<Segment<R>>, buffer: Rc<R::Buffer>, position: u64, sequence: Sequence, rolled: bool },
    Flush { segments: Vec<Rc<Segment<R>>> },
}

/// Where and as whom a log goes on.
pub(in crate::log) struct TailStart<R: Runtime> {
    pub(in crate::log) log: LogId,
    pub(in crate::log) incarnation: Incarnation,
    pub(in crate::log) at: ReplayStart,
    pub(in crate::log) segment: Rc<Segment<R>>,
    pub(in crate::log) room: Room,
    /// Free files whose size and name are durable.
    pub(in crate::log) files_free: usize,
    pub(in crate::log) checkpoint: CheckpointRoom,
}

/// The growing end of the log.
pub(in crate::log) struct Tail<R: Runtime> {
    builder: FrameBuilder<R::Buffer>,
    /// Number of the open frame.
    next: Sequence,
    room: Room,
    queue: VecDeque<Queued<R::Buffer>>,
    rolls_queued: usize,
    log: LogId,
    incarnation: Incarnation,
    /// Segment that is written to.
    segment: Rc<Segment<R>>,
    position: Position,
    previous_checksum: u32,
    pub(super) tracker: DurabilityTracker,
    pub(super) in_flight: VecDeque<InFlight<R>>,
    /// Memory for entries, for frames to come.
    pub(super) spare: Vec<Vec<Entry>>,
    /// Segments ready for use.
    pub(in crate::log) pool: VecDeque<Rc<Segment<R>>>,
    /// Files that are free or being made ready, and take no room to become segments: their size and name are
    /// durable.
    files_free: usize,
    /// The last attempt to make a segment found no room.
    pub(in crate::log) no_space: bool,
    /// Segments that hold nothing live are about to be used again: there is no room for a while only.
    pub(in crate::log) reclaiming: bool,
    /// A segment is wanted to move batches into.
    pub(in crate::log) store_wanted: bool,
    /// Room for what is appended in the checkpoints to come.
    pub(in crate::log) checkpoint: CheckpointRoom,
    /// An append was refused for want of a segment, or of a file behind it.
    wanted: bool,
    size_target: usize,
    size_max: usize,
    writes_max: usize,
}

impl<R: Runtime> Tail<R> {
    pub(in crate::log) fn new(start: TailStart<R>, options: &LogOptions) -> Self {
        Self {
            builder: FrameBuilder::new(),
            next: start.at.sequence.next(),
            room: start.room,
            queue: VecDeque::new(),
            rolls_queued: 0,
            log: start.log,
            incarnation: start.incarnation,
            segment: start.segment,
            position: start.at.position,
            previous_checksum: start.at.previous_checksum,
            tracker: DurabilityTracker::new(options.flush, start.at.sequence),
            in_flight: VecDeque::new(),
            spare: Vec::new(),
            pool: VecDeque::new(),
            files_free: start.files_free,
            no_space: false,
            reclaiming: false,
            store_wanted: false,
            checkpoint: start.checkpoint,
            wanted: false,
            size_target: options.frame_size_target,
            size_max: options.frame_size_max,
            writes_max: options.writes_in_flight,
        }
    }

    /// Puts `drafts` into the open frame and returns its number.
    pub(in crate::log) fn append(
        &mut self,
        runtime: &R,
        drafts: &[DraftEntry<'_>],
        purpose: Purpose,
    ) -> Result<Sequence, AppendError> {
        if purpose == Purpose::Ordinary && self.spare() < SEGMENTS_RESERVED {
            return Err(self.refuse_for_room());
        }
        let growth = drafts.iter().map(|draft| growth_of(draft.entry.kind, draft.payload.len())).sum();
        if purpose == Purpose::Ordinary && !self.checkpoint.allows(growth, self.spare()) {
            return Err(if self.checkpoint.is_full() { AppendError::NoSpace } else { AppendError::Busy });
        }
        let mut size = self.size_with(drafts, purpose);
        let rows = self.builder.entry_count() + drafts.len();
        let full = size > self.size_target || !self.room.allows(size, rows, purpose, self.spare());
        if full {
            self.check_alone(drafts)?;
            if !self.builder.is_empty() {
                if self.queue.len() >= FRAMES_QUEUED_MAX {
                    return Err(AppendError::Busy);
                }
                self.close_open(runtime);
                size = self.size_with(drafts, purpose);
            }
            self.make_room(size, drafts.len(), purpose)?;
        }
        self.builder.push(drafts, |size| runtime.allocate_dirty(size));
        self.checkpoint.append(growth);
        Ok(self.next)
    }

    /// Closes a frame without entries behind everything else, to record durable-up-to.
    pub(in crate::log) fn append_empty(
        &mut self,
        runtime: &R,
        purpose: Purpose,
    ) -> Result<Sequence, AppendError> {
        if !self.builder.is_empty() {
            self.close_open(runtime);
        }
        self.make_room(BLOCK_SIZE, 0, purpose)?;
        let sequence = self.next;
        self.close_open(runtime);
        Ok(sequence)
    }

    /// Whether nothing is open, waiting or in flight.
    pub(in crate::log) fn is_idle(&self) -> bool {
        self.builder.is_empty() && self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// Whether appends need not be refused as busy.
    pub(in crate::log) fn is_ready(&self) -> bool {
        let waits = self.wanted && (!self.no_space || self.reclaiming);
        let checkpoint_waits = self.checkpoint.is_wanted() && !self.checkpoint.is_full();
        self.queue.len() < FRAMES_QUEUED_MAX && !waits && !checkpoint_waits
    }

    /// A segment is ready for use. `was_free`: its file was among those of [`Tail::add_file`].
    pub(in crate::log) fn add_segment(&mut self, segment: Rc<Segment<R>>, was_free: bool) {
        if was_free {
            self.remove_file();
        }
        self.pool.push_back(segment);
        self.no_space = false;
        self.wanted = false;
    }

    /// A file is free, whose size and name are durable.
    pub(in crate::log) fn add_file(&mut self) {
        self.files_free += 1;
        self.wanted = false;
    }

    /// A file was made, or found whole, and is free: for another there may be room too.
    pub(in crate::log) fn file_made(&mut self) {
        self.add_file();
        self.no_space = false;
    }

    /// A free file is one no longer.
    pub(in crate::log) fn remove_file(&mut self) {
        assert!(self.files_free > 0, "every free file was counted");
        self.files_free -= 1;
    }

    /// Takes back a segment that is ready, and that no planned roll takes.
    pub(in crate::log) fn remove_segment(&mut self) -> Option<SegmentId> {
        let segment = if self.pool.len() > self.rolls_queued { self.pool.pop_back() } else { None };
        segment.map(|segment| segment.id)
    }

    /// Takes a segment to move batches into. The log itself goes first, unless it may not go on for want of room.
    pub(in crate::log) fn take_store(&mut self) -> Option<Rc<Segment<R>>> {
        if self.has_store() { self.pool.pop_back() } else { None }
    }

    /// Whether there is such a segment; if not, it is wanted from now on.
    pub(in crate::log) fn has_store(&mut self) -> bool {
        let left = self.rolls_queued + usize::from(!self.no_space);
        self.store_wanted = self.pool.len() <= left || self.spare() <= SEGMENTS_RESERVED;
        !self.store_wanted
    }

    /// A checkpoint of `size` bytes is in force.
    pub(in crate::log) fn checkpoint_made(&mut self, size: u64) {
        self.checkpoint.end(size, self.spare());
    }

    /// Whether there is something to do for the room of checkpoints.
    pub(in crate::log) fn is_checkpoint_room_due(&self) -> bool {
        self.checkpoint.is_due(self.spare())
    }

    /// Segments behind those that are written to or that a planned roll takes: ready, or free and whole.
    pub(in crate::log) fn spare(&self) -> usize {
        self.pool.len() + self.files_free - self.rolls_queued
    }

    pub(in crate::log) fn frames_queued(&self) -> usize {
        self.queue.len()
    }

    pub(in crate::log) fn writes_in_flight(&self) -> usize {
        self.tracker.writes_in_flight()
    }

    /// Whether appends wait for a segment to be ready.
    pub(in crate::log) fn wants_segment(&self) -> bool {
        self.wanted && self.pool.len() <= self.rolls_queued
    }

    /// Whether a segment is ready and only a file behind it is missing for records to go on in it.
    pub(in crate::log) fn lacks_file(&self) -> bool {
        self.pool.len() > self.rolls_queued && self.spare() <= SEGMENTS_KEPT
    }

    /// Whether appends wait for such a file.
    pub(in crate::log) fn wants_file(&self) -> bool {
        self.wanted && self.lacks_file()
    }

    /// The segment that is written to.
    pub(in crate::log) fn segment(&self) -> Rc<Segment<R>> {
        Rc::clone(&self.segment)
    }

    /// What to do now. The caller does it, and asks again.
    pub(super) fn next_action(&mut self, runtime: &R) -> Option<Action<R>> {
        if let Some((from, to)) = self.tracker.begin_flush() {
            return Some(Action::Flush { segments: self.segments_of(from, to) });
        }
        // An idle log writes at once; a busy one gathers what arrives until a write has ended.
        if self.queue.is_empty() && !self.builder.is_empty() && self.tracker.beyond() == 0 {
            self.close_open(runtime);
        }
        let room =
            self.tracker.writes_in_flight() < self.writes_max && self.tracker.beyond() < WRITES_IN_FLIGHT_MAX;
        if !room || self.queue.is_empty() {
            return None;
        }
        match self.queue.pop_front()? {
            Queued::Frame { sequence, sealed } => Some(self.issue(sequence, sealed, false)),
            Queued::Roll { sequence } => {
                self.rolls_queued -= 1;
                let next = self.pool.pop_front().expect("a roll waits for a segment");
                let action = self.issue_roll(runtime, sequence, &next);
                self.segment = next;
                self.position = Position(BLOCK_SIZE as u32);
                Some(action)
            }
        }
    }

    /// Bytes that the open frame has, at most, with `drafts`. One that they begin takes what the frame before it
    /// took, if it may hold records and there is room for it, and otherwise no more than it needs.
    fn size_with(&mut self, drafts: &[DraftEntry<'_>], purpose: Purpose) -> usize {
        let size = self.builder.size_with(drafts);
        let plenty = || self.room.allows(size, drafts.len(), purpose, self.spare());
        if !self.builder.is_empty() || (purpose == Purpose::Ordinary && plenty()) {
            return size;
        }
        self.builder.expect_little();
        self.builder.size_with(drafts)
    }

    /// Refuses what fits into no frame.
    fn check_alone(&self, drafts: &[DraftEntry<'_>]) -> Result<(), AppendError> {
        let size = FrameBuilder::<R::Buffer>::size_alone(drafts);
        if size > self.size_max || !self.room.fits_empty(size, drafts.len()) {
            return Err(AppendError::TooLarge { size, limit: self.size_max });
        }
        Ok(())
    }

    fn refuse_for_room(&mut self) -> AppendError {
        self.wanted = true;
        if self.no_space { AppendError::NoSpace } else { AppendError::Busy }
    }

    /// Plans a roll, if a frame of `size` bytes does not fit here.
    fn make_room(&mut self, size: usize, rows: usize, purpose: Purpose) -> Result<(), AppendError> {
        debug_assert!(self.builder.is_empty());
        if self.room.allows(size, rows, purpose, self.spare()) {
            return Ok(());
        }
        let left = if purpose == Purpose::Ordinary { SEGMENTS_KEPT } else { 0 };
        // A roll is planned only into a segment that is ready: what is behind it could otherwise wait for ever.
        if self.spare() <= left || self.pool.len() <= self.rolls_queued {
            return Err(self.refuse_for_room());
        }
        if self.queue.len() > FRAMES_QUEUED_MAX {
            return Err(AppendError::Busy);
        }
        self.queue.push_back(Queued::Roll { sequence: self.next });
        self.rolls_queued += 1;
        self.checkpoint.append(growth_of(EntryKind::Roll.raw(), 0));
        self.next = self.next.next();
        self.room.roll();
        Ok(())
    }

    fn close_open(&mut self, runtime: &R) {
        let rows = self.builder.entry_count();
        let spare = self.spare.pop().unwrap_or_default();
        let sealed = self.builder.seal(spare, |size| runtime.allocate_dirty(size));
        self.room.take(sealed.size(), rows);
        self.queue.push_back(Queued::Frame { sequence: self.next, sealed });
        self.next = self.next.next();
    }

    fn issue_roll(&mut self, runtime: &R, sequence: Sequence, next: &Segment<R>) -> Action<R> {
        let entry = Entry {
            kind: EntryKind::Roll.raw(),
            subject: u64::from(next.id.0),
            base: next.generation.0,
            ..Entry::default()
        };
        let mut builder = FrameBuilder::new();
        builder.push(&[DraftEntry { entry, payload: &[] }], |size| runtime.allocate_dirty(size));
        let sealed = builder.seal(Vec::new(), |size| runtime.allocate_dirty(size));
        assert_eq!(sealed.size(), BLOCK_SIZE, "the room kept for a roll is one block");
        self.issue(sequence, sealed, true)
    }

    fn issue(&mut self, sequence: Sequence, mut sealed: SealedFrame<R::Buffer>, rolled: bool) -> Action<R> {
        let header = sealed.finish(FrameHeader {
            log: self.log,
            segment: self.segment.id,
            generation: self.segment.generation,
            position: self.position,
            sequence,
            durable_up_to: self.tracker.durable(),
            incarnation: self.incarnation,
            previous_checksum: self.previous_checksum,
            ..FrameHeader::default()
        });
        self.previous_checksum = header.checksum;
        self.position = header.end();
        self.tracker.issue(sequence);
        let (buffer, segment) = (Rc::new(sealed.buffer), Rc::clone(&self.segment));
        self.in_flight.push_back(InFlight {
            header,
            entries: sealed.entries,
            buffer: Rc::clone(&buffer),
            capacity: sealed.capacity,
            segment: Rc::clone(&segment),
        });
        Action::Write { segment, buffer, position: u64::from(header.position.0), sequence, rolled }
    }

    /// Segments that hold the frames behind `from` up to `to`.
    fn segments_of(&self, from: Sequence, to: Sequence) -> Vec<Rc<Segment<R>>> {
        let mut segments: Vec<Rc<Segment<R>>> = Vec::new();
        for frame in &self.in_flight {
            let covered = frame.header.sequence > from && frame.header.sequence <= to;
            if covered && segments.last().is_none_or(|last| !Rc::ptr_eq(last, &frame.segment)) {
                segments.push(Rc::clone(&frame.segment));
            }
        }
        segments
    }
}
