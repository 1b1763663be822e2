//! What the tasks of one log share. Every borrow ends before the next await.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;

use super::checkpoint::{CheckpointRequests, SuperblockFile};
use super::format::{CheckpointName, ReplayStart};
use super::index::{Applied, Index, SegmentState};
use super::read::{FooterCache, ReadAhead, ReadTurns, TailCache};
use super::segment::{FreeSegment, Segment};
use super::signal::{CommitWaiters, Waiting};
use super::write::{Purpose, Tail};
use super::{LogOptions, LogStatus, StateMachine};
use crate::io::{Priority, Runtime, Signal};
use crate::limits::{IDLE_FRAME_DELAY, REGROUP_LOOK_INTERVAL, SEGMENT_FILES_OPEN_MAX};
use crate::model::{Generation, Incarnation, LogId, SegmentId, Sequence};

/// Where a log is in its life.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Phase {
    Open,
    /// Nothing more is appended; what was is being made durable.
    Closing,
    /// Everything is durable, or never will be: background tasks end.
    Stopped,
    /// A write or flush failed. Nothing is acknowledged any more.
    Failed,
}

/// What the tasks of one log share.
pub(super) struct Shared<R: Runtime> {
    pub(super) runtime: R,
    pub(super) folder: PathBuf,
    pub(super) options: LogOptions,
    pub(super) log: LogId,
    pub(super) incarnation: Incarnation,
    /// As the log was made; not `options.segment_size`.
    pub(super) segment_size: u32,
    pub(super) state: Rc<RefCell<dyn StateMachine>>,
    pub(super) tail: RefCell<Tail<R>>,
    pub(super) index: RefCell<Index>,
    pub(super) cache: RefCell<TailCache<R>>,
    pub(super) ahead: RefCell<ReadAhead<R>>,
    pub(super) read_turns: ReadTurns,
    pub(super) footers: RefCell<FooterCache>,
    pub(super) segments: RefCell<BTreeMap<SegmentId, Rc<Segment<R>>>>,
    pub(super) free: RefCell<VecDeque<FreeSegment<R>>>,
    pub(super) superblock: RefCell<SuperblockFile<R>>,
    pub(super) checkpoints: CheckpointRequests,
    pub(super) waiters: RefCell<CommitWaiters>,
    /// Wakes the task that writes frames, makes segments ready, writes footers and checkpoints, moves batches.
    pub(super) writer: Signal,
    pub(super) filler: Signal,
    pub(super) keeper: Signal,
    pub(super) regrouper: Signal,
    /// Somebody moves batches, and nobody else does meanwhile; who waits for that.
    pub(super) moving: Cell<bool>,
    pub(super) movers: Waiting,
    /// Batches are being moved, so that segments become free.
    pub(super) regrouping: Cell<bool>,
    /// Tasks that wait to append, for a checkpoint, or for the log to close.
    pub(super) ready: Waiting,
    pub(super) changed: Waiting,
    pub(super) progress: Progress,
}

/// Numbers that several tasks move.
pub(super) struct Progress {
    phase: Cell<Phase>,
    /// Where the log goes on behind the last committed frame.
    last: Cell<ReplayStart>,
    /// The last committed frame had no entries, or the superblock has taken its part.
    last_empty: Cell<bool>,
    /// The idle timer runs.
    idle_armed: Cell<bool>,
    /// The timer of regrouping runs.
    regroup_armed: Cell<bool>,
    /// Tasks that have not ended.
    tasks: Cell<usize>,
    next_segment: Cell<u32>,
    generations: Cell<u32>,
    status: RefCell<LogStatus>,
    /// Segments opened for reading, the oldest first.
    opened: RefCell<VecDeque<SegmentId>>,
}

impl Progress {
    pub(super) fn new(last: ReplayStart, next_segment: u32, generations: u32) -> Self {
        Self {
            phase: Cell::new(Phase::Open),
            last: Cell::new(last),
            last_empty: Cell::new(true),
            idle_armed: Cell::new(false),
            regroup_armed: Cell::new(false),
            tasks: Cell::new(0),
            next_segment: Cell::new(next_segment),
            generations: Cell::new(generations),
            status: RefCell::default(),
            opened: RefCell::default(),
        }
    }
}

impl<R: Runtime> Shared<R> {
    /// Spawns a task that [`Log::close`](super::Log::close) waits for.
    pub(super) fn spawn(self: &Rc<Self>, priority: Priority, task: impl Future<Output = ()> + 'static) {
        let shared = Rc::clone(self);
        let tasks = &self.progress.tasks;
        tasks.set(tasks.get() + 1);
        self.runtime.spawn(priority, async move {
            task.await;
            let tasks = &shared.progress.tasks;
            tasks.set(tasks.get() - 1);
            if tasks.get() == 0 {
                shared.changed.wake_all();
            }
        });
    }

    pub(super) fn tasks(&self) -> usize {
        self.progress.tasks.get()
    }

    pub(super) fn phase(&self) -> Phase {
        self.progress.phase.get()
    }

    /// Whether nothing is appended any more.
    pub(super) fn is_closed(&self) -> bool {
        self.phase() > Phase::Open
    }

    /// Whether background tasks end.
    pub(super) fn is_stopped(&self) -> bool {
        self.phase() >= Phase::Stopped
    }

    pub(super) fn is_failed(&self) -> bool {
        self.phase() == Phase::Failed
    }

    /// Moves on in life; wakes everybody who waits.
    pub(super) fn enter(&self, phase: Phase) {
        if phase <= self.phase() {
            return;
        }
        self.progress.phase.set(phase);
        for signal in [&self.writer, &self.filler, &self.keeper, &self.regrouper] {
            signal.give();
        }
        if phase >= Phase::Stopped {
            self.wake_waiters(Sequence(u64::MAX));
        }
        self.ready.wake_all();
        self.changed.wake_all();
    }

    /// Ends the log because going on could acknowledge what is not durable.
    pub(super) fn fail(&self, reason: &str) {
        if !self.is_failed() {
            self.runtime.mark("fail-stop");
            self.enter(Phase::Failed);
            self.runtime.halt(reason);
        }
    }

    /// Where the log goes on behind the last committed frame.
    pub(super) fn last(&self) -> ReplayStart {
        self.progress.last.get()
    }

    /// Whether something already says that all that was committed is durable: the last frame, or the superblock.
    pub(super) fn is_durability_recorded(&self) -> bool {
        self.progress.last_empty.get()
    }

    /// Nobody else need record it.
    pub(super) fn durability_recorded(&self) {
        self.progress.last_empty.set(true);
    }

    /// A frame is committed, behind which the log goes on at `last`.
    pub(super) fn committed(&self, last: ReplayStart, empty: bool) {
        debug_assert_eq!(last.sequence, self.last().sequence.next(), "frames are committed in order");
        self.progress.last.set(last);
        self.progress.last_empty.set(empty);
    }

    pub(super) fn wake_committed(&self) {
        self.wake_waiters(self.last().sequence);
    }

    fn wake_waiters(&self, up_to: Sequence) {
        // One borrow per waiter: a waker may do anything.
        loop {
            let waker = self.waiters.borrow_mut().take(up_to);
            match waker {
                Some(waker) => waker.wake(),
                None => break,
            }
        }
    }

    /// Whether ended segments hold nothing live, or will before long, so that there will be room once they are used
    /// again.
    pub(super) fn learn_whether_reclaiming(&self) -> bool {
        let is_dead = || self.index.borrow().segments().values().any(SegmentState::is_dead);
        let reclaiming = self.regrouping.get() || is_dead();
        self.tail.borrow_mut().reclaiming = reclaiming;
        reclaiming
    }

    pub(super) fn wake_ready(&self) {
        if self.tail.borrow().is_ready() {
            self.ready.wake_all();
        }
    }

    /// Begins what a committed frame makes due.
    pub(super) fn after_commit(self: &Rc<Self>, applied: &Applied) {
        for segment in &applied.retired {
            self.give_back(*segment);
        }
        if applied.rolled.is_some() || applied.died {
            self.keeper.give();
        }
        let bytes = self.status_bytes();
        if self.checkpoints.is_due(bytes, self.options.checkpoint_interval) {
            self.keeper.give();
        }
        if applied.trimmed {
            self.arm_regroup_timer();
        }
        let idle = self.tail.borrow().is_idle();
        if idle && !self.is_durability_recorded() {
            self.arm_idle_timer();
        }
        if self.tail.borrow().is_checkpoint_room_due() {
            self.keeper.give();
        }
        if self.is_closed() {
            self.changed.wake_all();
        }
    }

    /// Has it looked at what is live, but not after every trim.
    fn arm_regroup_timer(self: &Rc<Self>) {
        if self.progress.regroup_armed.replace(true) || self.is_closed() {
            return;
        }
        let (weak, runtime) = (Rc::downgrade(self), self.runtime.clone());
        self.runtime.spawn(Priority::Background, async move {
            runtime.sleep(REGROUP_LOOK_INTERVAL).await;
            if let Some(shared) = weak.upgrade() {
                shared.progress.regroup_armed.set(false);
                shared.regrouper.give();
            }
        });
    }

    /// After a while without appends, records durable-up-to.
    fn arm_idle_timer(self: &Rc<Self>) {
        if self.progress.idle_armed.replace(true) || self.is_closed() {
            return;
        }
        let weak = Rc::downgrade(self);
        let runtime = self.runtime.clone();
        self.runtime.spawn(Priority::Background, async move {
            // Until the log has been idle for the whole of a delay, or is gone.
            loop {
                let Some(before) = weak.upgrade().map(|shared| shared.last().sequence) else { return };
                runtime.sleep(IDLE_FRAME_DELAY).await;
                let Some(shared) = weak.upgrade() else { return };
                let idle = shared.tail.borrow().is_idle();
                if shared.is_closed() || (idle && shared.last().sequence == before) {
                    shared.progress.idle_armed.set(false);
                    shared.record_durability();
                    return;
                }
            }
        });
    }

    fn record_durability(&self) {
        if self.is_closed() || self.is_durability_recorded() {
            return;
        }
        // It is left out where it would take of the room that is kept: the next frame records the same.
        if self.tail.borrow_mut().append_empty(&self.runtime, Purpose::Ordinary).is_ok() {
            self.runtime.mark("idle-frame");
            self.writer.give();
        }
    }

    /// A roll was issued.
    pub(super) fn rolled(&self) {
        self.runtime.mark("segment-roll");
        self.count(|status| status.rolls += 1);
        self.filler.give();
        let segment = self.tail.borrow().segment();
        self.segments.borrow_mut().insert(segment.id, segment);
    }

    /// A segment is retired: when nobody holds it any more, it is made ready again.
    fn give_back(&self, segment: SegmentId) {
        let holder = self.segments.borrow_mut().remove(&segment);
        self.cache.borrow_mut().forget(segment);
        self.ahead.borrow_mut().forget(segment);
        self.footers.borrow_mut().forget(segment);
        self.progress.opened.borrow_mut().retain(|opened| *opened != segment);
        // Whether all of it was written is read from its header again.
        self.free.borrow_mut().push_back(FreeSegment { id: segment, holder, whole: true });
        self.tail.borrow_mut().add_file();
        self.wake_ready();
        self.filler.give();
    }

    /// Lets go of a segment; one that waits to be used again may be free now.
    pub(super) fn let_go(&self, held: Rc<Segment<R>>) {
        let is_free = self.free.borrow().iter().any(|free| free.id == held.id);
        drop(held);
        if is_free {
            self.filler.give();
        }
    }

    /// A segment that was to be moved into is not: its file is free again.
    pub(super) fn give_back_store(&self, segment: &Rc<Segment<R>>) {
        self.segments.borrow_mut().remove(&segment.id);
        let holder = Some(Rc::clone(segment));
        self.free.borrow_mut().push_back(FreeSegment { id: segment.id, holder, whole: true });
        self.tail.borrow_mut().add_file();
        self.wake_ready();
        self.filler.give();
    }

    /// There may be a segment to move batches into.
    pub(super) fn wake_regrouper_for_segment(&self) {
        if self.tail.borrow().store_wanted {
            self.regrouper.give();
        }
    }

    /// A segment's file was opened for reading; the one opened longest ago is closed for it.
    pub(super) fn opened_for_reading(&self, segment: SegmentId) {
        let mut opened = self.progress.opened.borrow_mut();
        opened.push_back(segment);
        if opened.len() > SEGMENT_FILES_OPEN_MAX
            && let Some(oldest) = opened.pop_front()
            && let Some(segment) = self.segments.borrow().get(&oldest)
        {
            segment.close_file();
        }
    }

    /// A segment number that was never used.
    pub(super) fn next_segment(&self) -> SegmentId {
        SegmentId(self.progress.next_segment.get())
    }

    pub(super) fn take_next_segment(&self) {
        self.progress.next_segment.set(self.progress.next_segment.get() + 1);
    }

    /// A generation that was never given.
    pub(super) fn next_generation(&self) -> Generation {
        let count = self.progress.generations.get();
        self.progress.generations.set(count + 1);
        Generation::of(self.incarnation, count)
    }

    /// Up to where every checkpoint that a start could use reaches.
    pub(super) fn covered(&self) -> Sequence {
        self.superblock.borrow().covered()
    }

    /// The checkpoint in force.
    pub(super) fn checkpoint_name(&self) -> Option<CheckpointName> {
        self.superblock.borrow().newest().checkpoint
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut LogStatus)) {
        change(&mut self.progress.status.borrow_mut());
    }

    pub(super) fn status_bytes(&self) -> u64 {
        self.progress.status.borrow().bytes
    }

    pub(super) fn status(&self) -> LogStatus {
        let counted = *self.progress.status.borrow();
        let (tail, index) = (self.tail.borrow(), self.index.borrow());
        LogStatus {
            incarnation: self.incarnation,
            committed: self.last().sequence,
            writes_in_flight: tail.writes_in_flight(),
            frames_queued: tail.frames_queued(),
            segments_ready: tail.pool.len(),
            segments_used: index.segments().len(),
            cache_bytes: self.cache.borrow().bytes(),
            ahead_bytes: self.ahead.borrow().bytes(),
            live_bytes: index.live_bytes(),
            ..counted
        }
    }
}
