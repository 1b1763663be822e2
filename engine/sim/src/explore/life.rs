//! One life of the process, one event after the other.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use thalweg_engine::io::Priority;
use thalweg_engine::log::{AppendError, DraftEntry, Log};
use thalweg_engine::model::{Offset, StreamId};

use super::blocks::Blocks;
use super::disk::{Crash, Disk, Operation, Slot};
use super::fingerprint::Fingerprint;
use super::machine::{AtOnce, Machine};
use super::oracle::{Oracle, PARTITIONS, State, Written};
use super::runtime::ExploreRuntime;
use super::scope::{Content, Scope};

/// Where the log lies.
const FOLDER: &str = "/data/log";

/// Where a life begins.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) disk: Disk,
    pub(super) oracle: Oracle,
    pub(super) left: Left,
    /// The choices that led here.
    pub(super) choices: Vec<u32>,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Left {
    pub(super) appends: usize,
    pub(super) crashes: usize,
    pub(super) checkpoints: usize,
}

/// Something that can happen next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// The operation that is so many-th of those in flight ends.
    Complete(usize),
    /// Something of this content is appended.
    Append(u8),
    /// A checkpoint is asked for.
    Checkpoint,
    /// Time passes until a task wakes.
    Wait,
    /// The tasks run that wait for what has ended.
    Run,
}

/// What a life and its tasks share.
struct Shared {
    log: RefCell<Option<Log<ExploreRuntime>>>,
    state: Rc<RefCell<State>>,
    oracle: RefCell<Oracle>,
    /// The first violation.
    wrong: RefCell<Option<String>>,
}

impl Shared {
    fn fail(&self, what: String) {
        self.wrong.borrow_mut().get_or_insert(what);
    }
}

/// One life. It ends when it is dropped.
pub(super) struct Life<'a> {
    scope: &'a Scope,
    pub(super) machine: Rc<Machine>,
    shared: Rc<Shared>,
    pub(super) left: Left,
    /// Operations that have ended without a task having seen it, in that order.
    unseen: Vec<u64>,
}

impl Drop for Life<'_> {
    fn drop(&mut self) {
        self.machine.end();
        self.shared.log.take();
    }
}

impl<'a> Life<'a> {
    /// The process starts and opens the log.
    pub(super) fn begin(
        scope: &'a Scope,
        blocks: &Rc<RefCell<Blocks>>,
        start: &Start,
        at_once: AtOnce,
    ) -> Self {
        let machine = Machine::new(Rc::clone(blocks), start.disk.clone(), at_once, scope.lies);
        let shared = Rc::new(Shared {
            log: RefCell::default(),
            state: Rc::new(RefCell::new(State::new(scope.payload_size()))),
            oracle: RefCell::new(start.oracle.clone()),
            wrong: RefCell::default(),
        });
        let (runtime, options) = (ExploreRuntime::new(&machine), scope.options());
        let (task, size) = (Rc::clone(&shared), scope.payload_size());
        let opening = async move {
            let opened = Log::open(runtime, Path::new(FOLDER), options, Rc::clone(&task.state)).await;
            let log = match opened {
                Ok((log, _)) => log,
                Err(error) => return task.fail(format!("the start was refused: {error}")),
            };
            let found = task.state.borrow().found.clone();
            if let Err(what) = check_reads(&log, &found, size).await {
                task.fail(what);
            }
            if let Err(what) = task.oracle.borrow_mut().opened(found) {
                task.fail(what);
            }
            task.log.replace(Some(log));
        };
        machine.spawn(Priority::Foreground, Box::pin(opening));
        Self { scope, machine, shared, left: start.left, unseen: Vec::new() }
    }

    /// Lets the process do all that it can without an operation ending. Says what went wrong, if anything has.
    pub(super) fn settle(&self) -> Result<(), String> {
        if self.unseen.is_empty() {
            self.catch(|| self.machine.settle());
        }
        if let Some(reason) = self.machine.halted.take() {
            self.shared.fail(format!("the process ended itself: {reason}"));
        }
        if let Some(wrong) = self.shared.state.borrow().wrong.clone() {
            self.shared.fail(wrong);
        }
        if self.is_open()
            && let Err(wrong) = self.shared.oracle.borrow().check(&self.shared.state.borrow().found)
        {
            self.shared.fail(format!("committed: {wrong}"));
        }
        self.shared.wrong.borrow().clone().map_or(Ok(()), Err)
    }

    fn catch(&self, step: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(step)) {
            self.shared.fail(format!("panic: {}", message_of(&*panic)));
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.shared.log.borrow().is_some()
    }

    pub(super) fn oracle(&self) -> Oracle {
        self.shared.oracle.borrow().clone()
    }

    /// What the log holds.
    pub(super) fn found(&self) -> Vec<Written> {
        self.shared.state.borrow().found.clone()
    }

    /// Everything that can happen next but a crash.
    pub(super) fn events(&self) -> Vec<Event> {
        let in_flight = self.machine.in_flight.borrow().len();
        let completions = (0..in_flight).map(Event::Complete);
        if !self.unseen.is_empty() {
            return [Event::Run].into_iter().chain(completions).collect();
        }
        let mut events: Vec<Event> = completions.collect();
        if self.is_open() {
            if self.left.appends > 0 {
                events.extend(self.contents().into_iter().map(Event::Append));
            }
            events.extend((self.left.checkpoints > 0).then_some(Event::Checkpoint));
        }
        let sleeps = self.scope.idle && self.machine.sleeps_ns().is_some();
        events.extend(sleeps.then_some(Event::Wait));
        events
    }

    /// The contents that can be appended next: one and the same through a life.
    fn contents(&self) -> Vec<u8> {
        let oracle = self.shared.oracle.borrow();
        match oracle.content {
            Some(content) => vec![content],
            // The first life is the log's second: it was made in another.
            None if oracle.life <= 2 => vec![0],
            None if self.scope.content == Content::Other => vec![oracle.life],
            None => vec![0, oracle.life],
        }
    }

    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Complete(index) => self.complete(index),
            Event::Run => self.unseen.clear(),
            Event::Append(content) => self.append(content),
            Event::Checkpoint => self.checkpoint(),
            Event::Wait => self.machine.pass_time(),
        }
    }

    fn complete(&mut self, index: usize) {
        let operation = self.machine.complete(index);
        let in_flight = self.machine.in_flight.borrow().len();
        if self.scope.bursts && in_flight > 0 {
            self.unseen.push(operation.place());
        } else {
            self.unseen.clear();
        }
    }

    fn append(&mut self, content: u8) {
        let log = self.shared.log.borrow().clone().expect("appends wait for the log to be open");
        let mut oracle = self.shared.oracle.borrow_mut();
        let mut written = Written { sequence: log.committed(), number: oracle.next(), content };
        let payloads = PARTITIONS.map(|partition| written.payload(partition, self.scope.payload_size()));
        let drafts = [0, 1]
            .map(|part| DraftEntry { entry: written.entry(PARTITIONS[part]), payload: &payloads[part] });
        match log.append(&drafts) {
            Ok(sequence) => written.sequence = sequence,
            // Something has to happen first.
            Err(AppendError::Busy) => return,
            Err(error) => return self.shared.fail(format!("an append was refused: {error}")),
        }
        oracle.appended.push(written);
        oracle.content = Some(content);
        let count = oracle.appended.len();
        self.left.appends -= 1;
        let (shared, committed) = (Rc::clone(&self.shared), log.wait_committed(written.sequence));
        let acknowledging = async move {
            match committed.await {
                Ok(()) => {
                    let mut oracle = shared.oracle.borrow_mut();
                    oracle.acknowledged = oracle.acknowledged.max(count);
                }
                Err(closed) => shared.fail(format!("an append was not acknowledged: {closed}")),
            }
        };
        self.machine.spawn(Priority::Foreground, Box::pin(acknowledging));
    }

    fn checkpoint(&mut self) {
        self.left.checkpoints -= 1;
        let log = self.shared.log.borrow().clone().expect("a checkpoint is of an open log");
        let shared = Rc::clone(&self.shared);
        let checkpoint = async move {
            if let Err(error) = log.checkpoint().await {
                shared.fail(format!("a checkpoint was not made: {error}"));
            }
        };
        self.machine.spawn(Priority::Foreground, Box::pin(checkpoint));
    }

    /// When nothing more can happen, everything is acknowledged.
    pub(super) fn check_end(&self) -> Result<(), String> {
        let oracle = self.shared.oracle.borrow();
        if !self.is_open() {
            return Err("the log does not open, and waits for nothing".to_owned());
        }
        if self.left.appends > 0 || oracle.acknowledged < oracle.appended.len() {
            let (acknowledged, appended) = (oracle.acknowledged, oracle.appended.len());
            return Err(format!(
                "{acknowledged} of {appended} appends are acknowledged, and nothing more happens"
            ));
        }
        Ok(())
    }

    /// What a crash now may leave.
    pub(super) fn undecided(&self, crash: Crash) -> Vec<Slot> {
        let in_flight = self.machine.in_flight.borrow();
        let operations: Vec<&Operation> = in_flight.iter().map(|operation| &operation.operation).collect();
        let mut blocks = self.machine.blocks.borrow_mut();
        self.machine.disk.borrow().undecided(crash, &operations, self.scope.tears, &mut blocks)
    }

    /// Tells this state from others, but for counts of what has been.
    pub(super) fn fingerprint(&self) -> u128 {
        let mut fingerprint = Fingerprint::new();
        let in_flight = self.machine.in_flight.borrow();
        let operations: Vec<&Operation> = in_flight.iter().map(|operation| &operation.operation).collect();
        self.machine.disk.borrow().add_to(&mut fingerprint, &operations);
        self.shared.oracle.borrow().add_to(&mut fingerprint);
        self.left.add_to(&mut fingerprint);
        fingerprint.add_all(self.unseen.iter().copied());
        fingerprint.add(self.machine.sleeps_ns().map_or(0, |sleeps_ns| sleeps_ns + 1));
        match &*self.shared.log.borrow() {
            // Opening is one operation after the other: how far it has come is told by how much it has done.
            None => fingerprint.add(1 << 63 | self.machine.disk.borrow().order()),
            Some(log) => {
                let status = log.status();
                let counts = [status.writes_in_flight, status.frames_queued, status.segments_ready];
                fingerprint.add_all(counts.into_iter().map(|count| count as u64));
                fingerprint.add(status.committed.0);
                fingerprint.add(status.checkpoints);
            }
        }
        fingerprint.value()
    }
}

impl Left {
    pub(super) fn add_to(&self, fingerprint: &mut Fingerprint) {
        fingerprint.add((self.appends << 16 | self.crashes << 8 | self.checkpoints) as u64);
    }
}

impl Start {
    /// Tells this start from others.
    pub(super) fn fingerprint(&self) -> u128 {
        let mut fingerprint = Fingerprint::new();
        self.disk.add_to(&mut fingerprint, &[]);
        self.oracle.add_to(&mut fingerprint);
        self.left.add_to(&mut fingerprint);
        fingerprint.value()
    }
}

/// What is read is what was found.
async fn check_reads(log: &Log<ExploreRuntime>, found: &[Written], size: usize) -> Result<(), String> {
    for partition in PARTITIONS {
        let end = log.bounds(StreamId(partition)).unwrap_or_default().end.0;
        if end != found.len() as u64 {
            return Err(format!("partition {partition} ends at {end}, of {} frames", found.len()));
        }
        let mut next = 0;
        while next < found.len() {
            let batches = match log.read(StreamId(partition), Offset(next as u64), usize::MAX).await {
                Ok(batches) if !batches.is_empty() => batches,
                other => return Err(format!("a read of partition {partition} from {next} gave {other:?}")),
            };
            for batch in batches {
                let written = found.get(next).map(|written| written.payload(partition, size));
                if batch.base.0 != next as u64 || written.as_deref() != Some(&*batch.bytes) {
                    return Err(format!("{batch:?} was read from partition {partition} for record {next}"));
                }
                next += 1;
            }
        }
    }
    Ok(())
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
