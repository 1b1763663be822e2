//! Reading ahead for those who go through a stream from the disk: what they will ask for next is read in large reads while
//! they work on what they have.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::plan::plan_runs;
use super::request::{ask_for_regrouping, cut, find_rows, hold, read_blocks};
use crate::io::{Buffer, Priority, Runtime, Signal};
use crate::limits::{READ_AHEAD_SIZE, READ_AHEAD_SIZE_MIN, READ_AHEADS_MAX, READERS_FOLLOWED_MAX};
use crate::log::Slice;
use crate::log::index::{Row, end_of};
use crate::log::shared::Shared;
use crate::model::{Generation, Offset, Position, SegmentId, StreamId};

/// Someone who reads a stream on from where the last read ended.
struct Reader {
    stream: StreamId,
    /// Where its last read ended.
    next: Offset,
    following: Following,
}

/// A reading ahead that may still go on.
#[derive(Default)]
struct Pending {
    signal: Signal,
    /// How far it came, once it is over.
    to: Cell<Option<Offset>>,
}

/// Batches of one read, those that were not asked for yet. Each has had its checksum.
struct Run<R: Runtime> {
    segment: SegmentId,
    batches: Vec<(Position, Slice<R>)>,
    /// Bytes of memory.
    charge: usize,
}

/// What was read ahead for a reader last; nothing for one that has read only once.
#[derive(Default)]
pub(in crate::log) struct Following(Option<Rc<Pending>>);

impl Following {
    /// Waits for what is being read ahead.
    pub(super) async fn wait(&self) {
        if let Some(pending) = &self.0 {
            while pending.to.get().is_none() {
                pending.signal.wait().await;
            }
        }
    }

    /// Whether nothing lies ahead of `next`.
    fn is_used_up(&self, next: Offset) -> bool {
        self.0.as_ref().is_none_or(|pending| pending.to.get().is_some_and(|to| to <= next))
    }
}

/// What was read ahead, up to a number of bytes, and for whom.
pub(in crate::log) struct ReadAhead<R: Runtime> {
    /// Those who read last are last.
    readers: VecDeque<Reader>,
    /// The oldest first.
    runs: VecDeque<Run<R>>,
    bytes: usize,
    bytes_max: usize,
    under_way: usize,
}

impl<R: Runtime> ReadAhead<R> {
    pub(in crate::log) fn new(bytes_max: usize) -> Self {
        Self { readers: VecDeque::new(), runs: VecDeque::new(), bytes: 0, bytes_max, under_way: 0 }
    }

    /// Bytes of memory held.
    pub(in crate::log) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether someone's last read of `stream` ended at `from`.
    pub(in crate::log) fn follow(&mut self, stream: StreamId, from: Offset) -> Option<Following> {
        let goes_on = |reader: &Reader| reader.stream == stream && reader.next == from;
        let place = self.readers.iter().position(goes_on)?;
        self.readers.remove(place).map(|reader| reader.following)
    }

    /// Takes a batch that was read ahead: nobody else is expected to ask for it.
    pub(in crate::log) fn take(&mut self, segment: SegmentId, position: Position) -> Option<Slice<R>> {
        for place in 0..self.runs.len() {
            let run = &mut self.runs[place];
            if run.segment != segment {
                continue;
            }
            if let Ok(found) = run.batches.binary_search_by_key(&position, |(position, _)| *position) {
                let (_, slice) = run.batches.remove(found);
                if run.batches.is_empty() {
                    self.bytes -= run.charge;
                    self.runs.remove(place);
                }
                return Some(slice);
            }
        }
        None
    }

    /// Lets go of what was read of a segment.
    pub(in crate::log) fn forget(&mut self, segment: SegmentId) {
        self.runs.retain(|run| run.segment != segment);
        self.bytes = self.runs.iter().map(|run| run.charge).sum();
    }

    fn insert(&mut self, run: Run<R>) {
        self.bytes += run.charge;
        self.runs.push_back(run);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.runs.pop_front()
        {
            self.bytes -= oldest.charge;
        }
    }

    /// How much is read ahead for one of those who read now; 0 for none.
    fn window(&self) -> usize {
        let others = self.readers.iter().filter(|reader| reader.following.0.is_some()).count();
        // One window is read while the one before it is served.
        let share = self.bytes_max / (2 * (others + 1));
        if share < READ_AHEAD_SIZE_MIN { 0 } else { share.min(READ_AHEAD_SIZE) }
    }
}

/// Remembers a reader whose read ended before `next`, and reads ahead for one that has gone on where it ended,
/// `from_disk`.
pub(super) fn read_on<R: Runtime>(
    shared: &Rc<Shared<R>>,
    stream: StreamId,
    next: Offset,
    following: Option<Following>,
    from_disk: bool,
) {
    let mut ahead = shared.ahead.borrow_mut();
    let window = ahead.window();
    let goes_on = from_disk && following.as_ref().is_some_and(|following| following.is_used_up(next));
    let mut following = following.unwrap_or_default();
    if goes_on && window > 0 && ahead.under_way < READ_AHEADS_MAX {
        ahead.under_way += 1;
        let pending = Rc::new(Pending::default());
        following = Following(Some(Rc::clone(&pending)));
        let task = Rc::clone(shared);
        shared.spawn(Priority::Foreground, async move {
            let to = fetch(&task, stream, next, window).await;
            task.ahead.borrow_mut().under_way -= 1;
            pending.to.set(Some(to));
            pending.signal.give();
        });
    }
    ahead.readers.push_back(Reader { stream, next, following });
    if ahead.readers.len() > READERS_FOLLOWED_MAX {
        ahead.readers.pop_front();
    }
}

/// Reads about `size` bytes of `stream` from `from` on into memory; returns where they end. What goes wrong the read meets
/// that asks for it.
async fn fetch<R: Runtime>(shared: &Rc<Shared<R>>, stream: StreamId, from: Offset, size: usize) -> Offset {
    let Ok(mut rows) = find_rows(shared, stream, from, size).await else { return from };
    let is_cached = |(segment, row): &(SegmentId, Row)| {
        shared.cache.borrow().slice(*segment, Position(row.position), row.length).is_some()
    };
    // From there on it is read at the tail.
    let tail = rows.iter().position(is_cached).unwrap_or(rows.len());
    rows.truncate(tail);
    ask_for_regrouping(shared, rows.iter().map(|(segment, _)| *segment));
    let mut to = from;
    for run in plan_runs(rows.iter().enumerate().map(|(place, (segment, row))| (place, *segment, *row))) {
        let Ok(held) = hold(shared, run.segment) else { break };
        let buffer = read_blocks(shared, &held, run.bytes.start, run.bytes.len()).await;
        let generation = held.generation;
        let mut batches = Vec::new();
        if let Ok(buffer) = &buffer {
            for (_, row) in run.rows.iter().map(|place| &rows[*place]) {
                let Ok(slice) = cut(shared, run.segment, buffer, run.bytes.start, row) else { break };
                batches.push((Position(row.position), slice));
                to = to.max(Offset(end_of(row)));
            }
        }
        shared.let_go(held);
        let whole = batches.len() == run.rows.len();
        let charge = buffer.map_or(0, |buffer| buffer.bytes().len());
        keep(shared, generation, Run { segment: run.segment, batches, charge });
        if !whole {
            break;
        }
    }
    shared.runtime.mark("read-ahead");
    to
}

/// Keeps what was read of a segment, if that is still in use.
fn keep<R: Runtime>(shared: &Shared<R>, generation: Generation, mut run: Run<R>) {
    let in_use = shared.segments.borrow().get(&run.segment).map(|segment| segment.generation);
    if in_use == Some(generation) && !run.batches.is_empty() {
        run.batches.sort_unstable_by_key(|(position, _)| *position);
        shared.ahead.borrow_mut().insert(run);
    }
}
