//! Appends, trims, reads, checkpoints, in lives that end anywhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use thalweg_engine::io::Runtime;
use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::{AppendError, DraftEntry, FlushMethod, Log, LogOptions, OpenError, ReadError};
use thalweg_engine::model::{Offset, Sequence, StreamId};
use thalweg_sim::harness::{Life, Run, Workload};
use thalweg_sim::{Prng, SimRuntime, World};

use super::oracle::{Attempt, Oracle, stream_of};
use super::state::{KEYS, State};

pub(crate) const FOLDER: &str = "/data/shard-0";

/// The workload.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogWorkload;

/// How the logs of one seed are set up.
fn options(prng: &mut Prng) -> LogOptions {
    let segment_size = [64 << 10, 128 << 10, 256 << 10][prng.index(3)];
    let frame_size_max = segment_size as usize / [2, 4][prng.index(2)];
    LogOptions {
        segment_size,
        pool_target: prng.range(1..4) as usize,
        flush: if prng.coin() { FlushMethod::Flush } else { FlushMethod::WriteThrough },
        checkpoint_interval: [64 << 10, 300 << 10, 2 << 20, u64::MAX][prng.index(4)],
        cache_bytes: [0, 64 << 10, 1 << 20][prng.index(3)],
        frame_size_target: [4096, 16_384, frame_size_max][prng.index(3)],
        frame_size_max,
        writes_in_flight: prng.range(1..5) as usize,
        accept_damage: false,
    }
}

impl Workload for LogWorkload {
    fn name(&self) -> &'static str {
        "log"
    }

    fn replay(&self, seed: u64, operations: u64) -> String {
        format!(
            "LOG_SEED={seed} LOG_OPERATIONS={operations} cargo test -p thalweg-engine --test log one_seed"
        )
    }

    fn kill_marks(&self) -> &'static [&'static str] {
        &[
            "segment-roll",
            "segment-recycled",
            "segment-retired",
            "checkpoint-begun",
            "checkpoint-slice",
            "checkpoint-named",
            "footer-written",
            "dry-roll",
            "log.opened",
            "log.retried",
        ]
    }

    fn expected(&self) -> &'static [&'static str] {
        &[
            "segment-roll",
            "dry-roll",
            "segment-retired",
            "segment-recycled",
            "checkpoint-begun",
            "checkpoint-slice",
            "checkpoint-named",
            "footer-written",
            "footer-read",
            "torn-tail",
            "leftover-frame",
            "out-of-order-completion",
            "busy",
            "read-from-cache",
            "read-from-disk",
            "idle-frame",
            "fail-stop",
            "log.retried",
        ]
    }

    fn begin(&self, world: &World) -> Box<dyn Run> {
        Box::new(LogRun::new(world))
    }
}

/// One seed.
pub(crate) struct LogRun {
    pub(crate) options: LogOptions,
    pub(crate) oracle: Rc<RefCell<Oracle>>,
}

impl LogRun {
    pub(crate) fn new(world: &World) -> Self {
        Self { options: options(&mut world.prng("options")), oracle: Rc::default() }
    }
}

impl Run for LogRun {
    fn start(&mut self, world: &World, life: Life) {
        let (options, oracle) = (self.options.clone(), Rc::clone(&self.oracle));
        world.start(1, move |runtime| {
            let (options, oracle) = (options.clone(), Rc::clone(&oracle));
            let prng = world.prng(&format!("life {}", life.number));
            async move { live(runtime, options, oracle, prng, life).await }
        });
    }

    fn operations(&self) -> u64 {
        self.oracle.borrow().operations
    }
}

async fn live(runtime: SimRuntime, options: LogOptions, oracle: Rc<RefCell<Oracle>>, prng: Prng, life: Life) {
    let (mut driver, lost) = match Driver::open(runtime.clone(), options, oracle, prng, life).await {
        Ok(opened) => opened,
        Err(OpenError::Disk { source }) => {
            assert!(!life.last, "a disk without faults failed: {source}");
            return runtime.halt(&source.to_string());
        }
        Err(error) => panic!("the log does not open: {error}: {error:?}"),
    };
    if driver.run(lost).await.is_ok() {
        driver.log.close().await;
    }
}

/// One life of a log.
pub(crate) struct Driver {
    runtime: SimRuntime,
    log: Log<SimRuntime>,
    state: Rc<RefCell<State>>,
    oracle: Rc<RefCell<Oracle>>,
    prng: Prng,
    /// Speculative ends of streams.
    next: BTreeMap<StreamId, u64>,
    life: Life,
    /// Reads that may find damage, counted.
    pub(crate) tolerated: Option<Rc<RefCell<u32>>>,
}

/// The log has failed, and said so.
pub(crate) struct Failed;

impl Driver {
    /// Opens the log and checks what it holds against the oracle; returns also what is lost for good.
    pub(crate) async fn open(
        runtime: SimRuntime,
        options: LogOptions,
        oracle: Rc<RefCell<Oracle>>,
        prng: Prng,
        life: Life,
    ) -> Result<(Self, Vec<Attempt>), OpenError> {
        let acknowledged = Rc::clone(&oracle.borrow().acknowledged);
        let state = Rc::new(RefCell::new(State { acknowledged, ..State::default() }));
        let opened = Log::open(runtime.clone(), Path::new(FOLDER), options, Rc::clone(&state)).await;
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
        Ok((Self { runtime, log, state, oracle, prng, next, life, tolerated: None }, lost))
    }

    async fn run(&mut self, lost: Vec<Attempt>) -> Result<(), Failed> {
        if self.life.operations > 0 && self.prng.coin() {
            self.retry(lost).await?;
        }
        if self.life.last || self.prng.below(4) == 0 {
            self.check_all().await?;
        }
        let mut pending: Vec<Sequence> = Vec::new();
        for _ in 0..self.life.operations {
            match self.prng.below(100) {
                0..80 => pending.extend(self.append().await?),
                80..90 => self.read_some().await?,
                90..92 => self.runtime.sleep(std::time::Duration::from_millis(self.prng.below(400))).await,
                92..93 => drop(self.log.checkpoint().await),
                _ => self.runtime.yield_now().await,
            }
            self.oracle.borrow_mut().operations += 1;
            while pending.len() > self.prng.below(40) as usize {
                let sequence = pending.remove(0);
                self.log.wait_committed(sequence).await.map_err(|_| Failed)?;
                assert!(self.state.borrow().last >= sequence, "the state has what is committed");
            }
        }
        if self.prng.coin() {
            self.check_all().await?;
        }
        Ok(())
    }

    /// Appends the first lost frame again, as a client would whose append was never answered: the same bytes in
    /// the same place, before which and behind which there may be leftovers of the last life.
    async fn retry(&mut self, lost: Vec<Attempt>) -> Result<(), Failed> {
        let Some(first) = lost.first().map(|attempt| attempt.sequence) else { return Ok(()) };
        let frame: Vec<Attempt> = lost.into_iter().take_while(|attempt| attempt.sequence == first).collect();
        let entries: Vec<DraftEntry<'_>> = (frame.iter())
            .map(|attempt| DraftEntry { entry: attempt.entry, payload: &attempt.payload })
            .collect();
        let Ok(sequence) = self.log.append(&entries) else { return Err(Failed) };
        for attempt in frame {
            if let Some(stream) = stream_of(&attempt.entry) {
                let outbox = attempt.entry.kind == EntryKind::OutboxBatch.raw();
                let span = if outbox { 1 } else { u64::from(attempt.entry.count) };
                *self.next.entry(stream).or_default() += span;
            }
            self.oracle.borrow_mut().attempts.push(Attempt { sequence, ..attempt });
        }
        self.log.wait_committed(sequence).await.map_err(|_| Failed)?;
        self.runtime.mark("log.retried");
        // In some lives nothing more is written: what lies behind is then found by the next.
        if self.prng.coin() { Err(Failed) } else { Ok(()) }
    }

    /// Appends one to four entries, together.
    async fn append(&mut self) -> Result<Option<Sequence>, Failed> {
        let next = self.next.clone();
        let drafts: Vec<(Entry, Vec<u8>)> = (0..self.prng.range(1..5)).map(|_| self.draft()).collect();
        let entries: Vec<DraftEntry<'_>> =
            drafts.iter().map(|(entry, payload)| DraftEntry { entry: *entry, payload }).collect();
        loop {
            match self.log.append(&entries) {
                Ok(sequence) => {
                    let attempts =
                        drafts.into_iter().map(|(entry, payload)| Attempt { sequence, entry, payload });
                    self.oracle.borrow_mut().attempts.extend(attempts);
                    return Ok(Some(sequence));
                }
                Err(AppendError::Busy) => self.log.ready().await.map_err(|_| Failed)?,
                Err(AppendError::TooLarge { size, limit }) => {
                    assert!(size > 8192, "a frame of {size} is refused, the limit is {limit}");
                    self.next = next;
                    return Ok(None);
                }
                Err(AppendError::Closed) => return Err(Failed),
                Err(AppendError::NoSpace) => panic!("the disk has room"),
            }
        }
    }

    fn draft(&mut self) -> (Entry, Vec<u8>) {
        let size = match self.prng.below(10) {
            0..6 => self.prng.below(300),
            6..9 => self.prng.below(6_000),
            _ => self.prng.below(40_000),
        };
        let mut payload = vec![0; size as usize];
        self.prng.fill(&mut payload);
        if self.prng.below(8) == 0 && payload.len() > 8192 {
            // A payload that looks like frames of this log.
            for block in payload.chunks_mut(4096) {
                let magic = block.len().min(8);
                block[..magic].copy_from_slice(&b"THALWEGF"[..magic]);
            }
        }
        let mut entry = Entry::default();
        match self.prng.below(20) {
            0..12 => {
                entry.kind = EntryKind::Batch.raw();
                entry.subject = self.prng.below(6);
                entry.count = self.prng.range(1..50) as u32;
                entry.owner = u64::MAX;
                payload.push(1);
            }
            12..15 => {
                entry.kind = EntryKind::OutboxBatch.raw();
                entry.subject = self.prng.below(6);
                entry.count = self.prng.range(1..50) as u32;
                entry.owner = self.prng.range(1..3);
                payload.push(1);
            }
            15..18 => {
                entry.kind = EntryKind::StoreDelta.raw();
                entry.subject = self.prng.below(KEYS);
                entry.base = self.prng.next_u64();
            }
            _ => return (self.trim(), Vec::new()),
        }
        if let Some(stream) = stream_of(&entry) {
            let next = self.next.entry(stream).or_default();
            entry.base = *next;
            *next += if entry.kind == EntryKind::Batch.raw() { u64::from(entry.count) } else { 1 };
        }
        (entry, payload)
    }

    /// An entry that lets go of the front of a stream.
    fn trim(&mut self) -> Entry {
        let outbox = self.prng.below(4) == 0;
        let (kind, subject, stream) = if outbox {
            let shard = self.prng.range(1..3);
            let stream = StreamId::outbox(thalweg_engine::model::ShardId(shard as u16));
            (EntryKind::OutboxTrim, shard, stream)
        } else {
            let partition = self.prng.below(6);
            (EntryKind::LogStart, partition, StreamId(partition))
        };
        let end = self.next.get(&stream).copied().unwrap_or_default();
        let base = end - self.prng.below(end / 4 + 1).min(end);
        Entry { kind: kind.raw(), subject, base, ..Entry::default() }
    }

    /// Brings the oracle up to what is committed and reads a part of a stream.
    async fn read_some(&mut self) -> Result<(), Failed> {
        let streams: Vec<StreamId> = self.next.keys().copied().collect();
        if streams.is_empty() {
            return Ok(());
        }
        let stream = *self.prng.pick(&streams);
        let Some(bounds) = self.log.bounds(stream) else { return Ok(()) };
        let from = bounds.start.0 + self.prng.below(bounds.end.0 - bounds.start.0 + 1);
        let bytes_max = self.prng.below(200_000) as usize;
        self.read_from(stream, from, bytes_max).await.map(drop)
    }

    /// Reads once from `from` and checks what comes; returns where to go on.
    async fn read_from(&self, stream: StreamId, from: u64, bytes_max: usize) -> Result<u64, Failed> {
        let read = self.log.read(stream, Offset(from), bytes_max).await;
        self.oracle.borrow_mut().advance(self.state.borrow().last);
        let oracle = self.oracle.borrow();
        let expected = &oracle.streams[&stream];
        let batches = match read {
            Ok(batches) => batches,
            Err(ReadError::Closed) => return Err(Failed),
            // Trimmed while the read was under way.
            Err(ReadError::OutOfRange { .. }) if from < expected.start => return Ok(expected.start),
            Err(ReadError::Disk { source }) => {
                assert!(!self.life.last, "a disk without faults failed: {source}");
                return Ok(from);
            }
            Err(ReadError::Damaged { .. }) if self.tolerated.is_some() => {
                *self.tolerated.as_ref().expect("just checked").borrow_mut() += 1;
                return Ok(expected.end);
            }
            Err(error) => panic!("read of {stream} from {from}: {error}"),
        };
        let mut at = from;
        let mut bytes = 0;
        for batch in &batches {
            if bytes > 0 {
                assert_eq!(batch.base.0, at, "batches follow each other");
            }
            assert!(batch.base.0 <= at);
            if let Some((end, payload)) = expected.batches.get(&batch.base.0) {
                assert_eq!(&*batch.bytes, &payload[..], "stream {stream} at {}", batch.base);
                at = *end;
            } else {
                assert!(batch.base.0 < expected.start, "stream {stream} has a batch at {}", batch.base);
                at = batch.base.0 + batch.count.0.min(if stream.0 >> 63 == 1 { 1 } else { u64::MAX });
            }
            bytes += batch.bytes.len();
        }
        assert!(batches.len() <= 1 || bytes <= bytes_max, "no more than asked for");
        assert!(!batches.is_empty() || from >= expected.start.max(self.log.bounds(stream).unwrap().start.0));
        Ok(at)
    }

    /// Reads every stream from its start to its end.
    pub(crate) async fn check_all(&self) -> Result<(), Failed> {
        self.oracle.borrow_mut().advance(self.state.borrow().last);
        let streams: Vec<StreamId> = self.oracle.borrow().streams.keys().copied().collect();
        for stream in streams {
            let (start, end) = {
                let oracle = self.oracle.borrow();
                (oracle.streams[&stream].start, oracle.streams[&stream].end)
            };
            let bounds = self.log.bounds(stream).expect("a stream that has batches has bounds");
            assert!(bounds.start.0 >= start);
            assert!(bounds.end.0 >= end, "stream {stream} ends at {}, not at {end}", bounds.end);
            let mut at = start;
            let mut attempts = 0;
            while at < end {
                let next = self.read_from(stream, at, 20_000).await?;
                attempts = if next == at { attempts + 1 } else { 0 };
                assert!(attempts < 1000, "stream {stream} does not go on at {at}");
                at = next;
            }
        }
        Ok(())
    }
}
