//! One life: open, compare, append, trim, read, close.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::Runtime;
use thalweg_engine::limits::{
    BLOCK_SIZE, CHECKPOINT_WRITE_SIZE, FRAMES_QUEUED_MAX, READ_AHEADS_MAX, SEGMENT_FILL_SIZE,
    WRITES_IN_FLIGHT_MAX,
};
use thalweg_engine::log::format::Entry;
use thalweg_engine::log::{AppendError, DraftEntry, Log, LogOptions, OpenError, RecoveryReport};
use thalweg_engine::model::{SegmentId, Sequence, StreamId};

use super::character::{Character, Mix};
use super::draft::Draft;
use super::oracle::{Attempt, Oracle, span_of, stream_of};
use super::read::Reads;
use super::readers::Readers;
use super::state::State;
use crate::harness::Life;
use crate::prng::Prng;
use crate::runtime::SimRuntime;

pub(super) const FOLDER: &str = "/data/shard-0";

/// Times that a full disk is asked again before it counts as stuck; 100 ms each.
const FULL_ATTEMPTS_MAX: u32 = 300;

/// Looks at what is in use, 200 ms apart, before it counts as settled.
const SETTLE_ATTEMPTS_MAX: u32 = 100;

/// Segments that may be in use beside those that what is kept fills: the one that is written, and dead bytes that are
/// granted.
const SEGMENTS_BESIDE: u64 = 5;

/// Memory behind a frame: the largest buffer that frames of these sizes are built in. Bytes.
const FRAME_MEMORY_MAX: usize = 256 << 10;

/// The file of a segment.
pub(super) fn segment_path(segment: SegmentId) -> PathBuf {
    Path::new(FOLDER).join(format!("segment-{:08x}", segment.0))
}

/// One life of a log.
pub(super) struct Driver {
    pub(super) runtime: SimRuntime,
    pub(super) log: Log<SimRuntime>,
    pub(super) state: Rc<RefCell<State>>,
    pub(super) oracle: Rc<RefCell<Oracle>>,
    pub(super) prng: Prng,
    /// Speculative ends of streams.
    pub(super) next: BTreeMap<StreamId, u64>,
    life: Life,
    options: LogOptions,
    pub(super) mix: Mix,
    pub(super) reads: Reads,
    /// Times that batches began to be moved, and were.
    moved: (u64, u64),
}

/// Damage that reads may find.
#[derive(Clone)]
pub(super) struct Tolerated {
    /// In this file only.
    pub(super) file: PathBuf,
    /// How many did.
    pub(super) reads: Rc<Cell<u32>>,
}

#[derive(Clone, Copy)]
enum Operation {
    Append,
    Read,
    Sleep,
    Checkpoint,
    Forged,
    LetGo,
    Yield,
}

/// The log has failed, and said so.
pub(super) struct Failed;

/// The main task of a life.
pub(super) async fn live(
    runtime: SimRuntime,
    character: Character,
    oracle: Rc<RefCell<Oracle>>,
    prng: Prng,
    life: Life,
) {
    let is_packed = character.is_packed();
    let (mut driver, _, lost) = match Driver::open(runtime.clone(), character, oracle, prng, life).await {
        Ok(opened) => opened,
        Err(OpenError::Disk { source }) => {
            assert!(!life.last, "a disk without faults failed: {source}");
            return runtime.halt(&source.to_string());
        }
        Err(error) => panic!("the log does not open: {error}: {error:?}"),
    };
    let readers = if life.operations > 0 { driver.mix.readers } else { 0 };
    let _readers = Readers::begin(&driver.runtime, &driver.reads, &driver.prng, readers);
    if driver.run(lost).await.is_ok() {
        if life.last && is_packed {
            driver.check_space().await;
        }
        driver.log.close().await;
        if !driver.runtime.is_halted() {
            let promised = &driver.oracle.borrow().promised;
            promised.set(promised.get().closed());
        }
    }
}

impl Driver {
    /// Opens the log and checks what it holds against the oracle; returns also what is lost for good.
    pub(super) async fn open(
        runtime: SimRuntime,
        character: Character,
        oracle: Rc<RefCell<Oracle>>,
        prng: Prng,
        life: Life,
    ) -> Result<(Self, RecoveryReport, Vec<Attempt>), OpenError> {
        let Character { options, mix, .. } = character;
        let promised = Rc::clone(&oracle.borrow().promised);
        let state = Rc::new(RefCell::new(State { promised, ..State::default() }));
        let opened = Log::open(runtime.clone(), Path::new(FOLDER), options.clone(), Rc::clone(&state)).await;
        let (log, report) = opened?;
        runtime.mark("log.opened");
        assert_eq!(report.frames, state.borrow().recovered);
        let lost = oracle.borrow_mut().settle(report.last);
        assert_eq!(
            oracle.borrow().model,
            state.borrow().model,
            "the state is the fold over frames to {}",
            report.last
        );
        let next = oracle.borrow().streams.iter().map(|(id, stream)| (*id, stream.end)).collect();
        let reads = Reads {
            runtime: runtime.clone(),
            log: log.clone(),
            state: Rc::clone(&state),
            oracle: Rc::clone(&oracle),
            is_last: life.last,
            tolerated: None,
        };
        let driver =
            Self { runtime, log, state, oracle, prng, next, life, options, mix, reads, moved: (0, 0) };
        Ok((driver, report, lost))
    }

    async fn run(&mut self, lost: Vec<Attempt>) -> Result<(), Failed> {
        if self.life.operations > 0 && self.prng.coin() {
            self.retry(lost).await?;
        }
        if self.life.last || self.prng.below(4) == 0 {
            self.reads.check_all().await?;
            self.check_live_bytes();
        }
        if self.life.operations > 0 {
            self.let_go(self.leftover_deletions()).await?;
        }
        let mut pending: Vec<Sequence> = Vec::new();
        for _ in 0..self.life.operations {
            if self.mix.chase {
                self.chase().await?;
            }
            match self.choose() {
                Operation::Append => pending.extend(self.append().await?),
                Operation::Read => self.read_some().await?,
                Operation::Sleep => self.runtime.sleep(Duration::from_millis(self.prng.below(400))).await,
                Operation::Checkpoint => drop(self.log.checkpoint().await),
                Operation::Forged => self.append_forged().await?,
                Operation::LetGo => self.let_go(self.trims_of_everything()).await?,
                Operation::Yield => self.runtime.yield_now().await,
            }
            if self.runtime.should_yield() {
                self.runtime.yield_now().await;
            }
            self.oracle.borrow_mut().operations += 1;
            self.check_memory();
            while pending.len() > self.prng.below(self.mix.waiting) as usize {
                let sequence = pending.remove(0);
                self.log.wait_committed(sequence).await.map_err(|_| Failed)?;
                assert!(self.state.borrow().last >= sequence, "the state has what is committed");
            }
        }
        if self.prng.coin() {
            self.reads.check_all().await?;
        }
        Ok(())
    }

    /// Lets everything go that begins to be moved, so that it is retired and used again meanwhile; and looks what there
    /// is once it was moved.
    async fn chase(&mut self) -> Result<(), Failed> {
        let moved = (self.runtime.counted("regroup-begun"), self.runtime.counted("regroup-committed"));
        let before = std::mem::replace(&mut self.moved, moved);
        if moved.0 > before.0 {
            self.let_go(self.trims_of_everything()).await?;
            // Until no start needs it.
            for _ in 0..2 {
                let _failed = self.log.checkpoint().await;
            }
        }
        if moved.1 > before.1 { self.reads.check_all().await } else { Ok(()) }
    }

    /// What to do next.
    fn choose(&mut self) -> Operation {
        let mix = &self.mix;
        let shares = [
            (Operation::Append, mix.append),
            (Operation::Read, mix.read),
            (Operation::Sleep, mix.sleep),
            (Operation::Checkpoint, mix.checkpoint),
            (Operation::Forged, mix.forged),
            (Operation::LetGo, mix.let_go),
            (Operation::Yield, mix.yields),
        ];
        let mut drawn = self.prng.below(shares.iter().map(|(_, share)| share).sum());
        for (operation, share) in shares {
            if drawn < share {
                return operation;
            }
            drawn -= share;
        }
        unreachable!("what is drawn lies below the sum of the shares")
    }

    /// Appends the first lost frame again, as a client would whose append was never answered: the same bytes
    /// in the same place, before which and behind which there may be leftovers of the last life.
    async fn retry(&mut self, lost: Vec<Attempt>) -> Result<(), Failed> {
        let Some(first) = lost.first().map(|attempt| attempt.sequence) else { return Ok(()) };
        let frame: Vec<Draft> = (lost.into_iter())
            .take_while(|attempt| attempt.sequence == first)
            .map(|attempt| (attempt.entry, attempt.payload))
            .collect();
        // On a full disk there may be no room for it now.
        let Ok(sequence) = self.log.append(&entries(&frame)) else { return Ok(()) };
        for (entry, _) in &frame {
            if let Some(stream) = stream_of(entry) {
                *self.next.entry(stream).or_default() += span_of(entry);
            }
        }
        self.attempted(sequence, frame);
        self.log.wait_committed(sequence).await.map_err(|_| Failed)?;
        self.runtime.mark("log.retried");
        // In some lives nothing more is written: what lies behind is then found by the next.
        if self.prng.coin() { Err(Failed) } else { Ok(()) }
    }

    /// Appends one to four entries, together.
    async fn append(&mut self) -> Result<Option<Sequence>, Failed> {
        let next = self.next.clone();
        let drafts: Vec<Draft> =
            (0..self.prng.range(1..self.mix.together + 1)).map(|_| self.draft()).collect();
        self.append_drafts(drafts, next).await
    }

    /// Waits until nothing is in flight, and then appends a batch that pretends to be the frames to come.
    async fn append_forged(&mut self) -> Result<(), Failed> {
        let last = self.oracle.borrow().attempts.last().map(|attempt| attempt.sequence);
        if let Some(last) = last {
            self.log.wait_committed(last).await.map_err(|_| Failed)?;
        }
        let next = self.next.clone();
        let Some(draft) = self.forged_draft() else { return Ok(()) };
        let appended = self.append_drafts(vec![draft], next).await?;
        // Until it is being written.
        for _ in 0..self.prng.below(4) {
            self.runtime.yield_now().await;
        }
        self.runtime.mark("log.forged");
        // In some lives this is the last, and it may be torn.
        if self.prng.below(6) == 0 {
            return Err(Failed);
        }
        if let Some(sequence) = appended {
            self.log.wait_committed(sequence).await.map_err(|_| Failed)?;
        }
        Ok(())
    }

    /// `before`: the ends of streams before the drafts were made.
    async fn append_drafts(
        &mut self,
        drafts: Vec<Draft>,
        before: BTreeMap<StreamId, u64>,
    ) -> Result<Option<Sequence>, Failed> {
        loop {
            match self.log.append(&entries(&drafts)) {
                Ok(sequence) => {
                    self.attempted(sequence, drafts);
                    return Ok(Some(sequence));
                }
                Err(AppendError::Busy) => self.log.ready().await.map_err(|_| Failed)?,
                Err(AppendError::TooLarge { size, limit }) => {
                    assert!(size > 8192, "a frame of {size} is refused, the limit is {limit}");
                    self.next = before;
                    return Ok(None);
                }
                Err(AppendError::Closed) => return Err(Failed),
                Err(AppendError::NoSpace) => {
                    self.next = before;
                    self.make_room().await?;
                    return Ok(None);
                }
            }
        }
    }

    fn attempted(&self, sequence: Sequence, drafts: Vec<Draft>) {
        let attempts = drafts.into_iter().map(|(entry, payload)| Attempt { sequence, entry, payload });
        self.oracle.borrow_mut().attempts.extend(attempts);
    }

    /// The disk is full: lets go of nearly everything, and waits until there is room again.
    async fn make_room(&mut self) -> Result<(), Failed> {
        self.runtime.mark("log.full");
        self.reads.check_all().await?;
        let trims = [self.leftover_deletions(), self.trims_of_everything()].concat();
        self.let_go(trims).await?;
        for _ in 0..FULL_ATTEMPTS_MAX {
            let before = self.next.clone();
            let drafts = vec![self.draft()];
            match self.log.append(&entries(&drafts)) {
                Ok(sequence) => {
                    self.attempted(sequence, drafts);
                    self.runtime.mark("log.room-again");
                    return Ok(());
                }
                Err(AppendError::Closed) => return Err(Failed),
                Err(_) => self.next = before,
            }
            self.runtime.sleep(Duration::from_millis(100)).await;
        }
        let checkpoint = self.log.checkpoint().await;
        panic!("what was let go is not used again: {checkpoint:?}, {:?}", self.log.status())
    }

    /// Appends entries that give room back, in one frame: there is room for it even when there is hardly any.
    async fn let_go(&self, entries: Vec<Entry>) -> Result<(), Failed> {
        let drafts: Vec<Draft> = entries.into_iter().map(|entry| (entry, Rc::default())).collect();
        if drafts.is_empty() {
            return Ok(());
        }
        for _ in 0..FULL_ATTEMPTS_MAX {
            match self.log.append(&self::entries(&drafts)) {
                Ok(sequence) => {
                    self.attempted(sequence, drafts);
                    return self.log.wait_committed(sequence).await.map_err(|_| Failed);
                }
                Err(AppendError::Closed) => return Err(Failed),
                Err(AppendError::Busy) => self.log.ready().await.map_err(|_| Failed)?,
                Err(_) => self.runtime.sleep(Duration::from_millis(100)).await,
            }
        }
        let checkpoint = self.log.checkpoint().await;
        panic!("a full disk cannot be trimmed: {checkpoint:?}, {:?}", self.log.status())
    }

    /// Memory stays within what the options and limits allow.
    fn check_memory(&self) {
        let (status, options) = (self.log.status(), &self.options);
        assert!(status.cache_bytes <= options.cache_bytes, "the cache holds {} bytes", status.cache_bytes);
        let ahead = status.ahead_bytes;
        assert!(ahead <= options.read_ahead_bytes, "{ahead} bytes were read ahead");
        assert!(status.frames_queued <= FRAMES_QUEUED_MAX + 1, "{} frames wait", status.frames_queued);
        assert!(status.writes_in_flight <= options.writes_in_flight, "{status:?}");
        // One for each roll that waits, and one behind them; and one to move batches into.
        let segments = options.pool_target.max(status.frames_queued + 1) + 1;
        assert!(status.segments_ready <= segments, "{status:?}");
        // Frames open, waiting, in flight and not yet committed; a checkpoint's write; the filling of a
        // segment; a store segment and a read for it; what is read ahead; single blocks of headers and superblocks.
        let frames = 1 + FRAMES_QUEUED_MAX + 1 + WRITES_IN_FLIGHT_MAX;
        let most = options.cache_bytes
            + frames * FRAME_MEMORY_MAX
            + CHECKPOINT_WRITE_SIZE
            + SEGMENT_FILL_SIZE.min(options.segment_size as usize)
            + 2 * options.segment_size as usize
            + options.read_ahead_bytes
            + READ_AHEADS_MAX * options.segment_size as usize
            + 8 * BLOCK_SIZE;
        let allocated = self.runtime.allocated_bytes();
        assert!(allocated <= most, "buffers of {allocated} bytes, allowed are {most}: {status:?}");
    }

    /// Once nothing is left to do, the disk holds at most half as much again as what is kept, and a few segments.
    async fn check_space(&self) {
        let size = u64::from(self.options.segment_size);
        let kept = self.oracle.borrow().live_bytes();
        let most = kept * 3 / 2 / size + SEGMENTS_BESIDE;
        for _ in 0..SETTLE_ATTEMPTS_MAX {
            // What was emptied is free only when no start needs it.
            let _failed = self.log.checkpoint().await;
            self.runtime.sleep(Duration::from_millis(200)).await;
            if self.log.status().segments_used as u64 <= most {
                return self.runtime.count("log.settled");
            }
        }
        panic!("more than {most} segments stay in use for {kept} bytes: {:?}", self.log.status());
    }

    /// What counts as live is what was not let go, and little more: a stream's part of one segment is let go
    /// as a whole.
    fn check_live_bytes(&self) {
        let oracle = self.oracle.borrow();
        let (live, kept) = (self.log.status().live_bytes, oracle.live_bytes());
        let slack = oracle.streams.len() as u64 * u64::from(self.options.segment_size);
        assert!((kept..=kept + slack).contains(&live), "{live} bytes are live, {kept} are kept");
    }
}

fn entries(drafts: &[Draft]) -> Vec<DraftEntry<'_>> {
    drafts.iter().map(|(entry, payload)| DraftEntry { entry: *entry, payload }).collect()
}
