//! Reading ahead for those who go through a stream from the disk: what they will ask for next is read in large reads while
//! they work on what they have.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::plan::plan_runs;
use super::request::{ask_for_regrouping, find_rows, hold, read_run};
use crate::io::{Priority, Runtime, Signal};
use crate::limits::{
    READ_AHEAD_SIZE, READ_AHEAD_SIZE_MIN, READ_AHEAD_WINDOWS, READ_AHEADS_MAX, READERS_FOLLOWED_MAX,
};
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

/// One reading ahead: a window of a stream.
#[derive(Default)]
struct Window {
    signal: Signal,
    /// Where it ends, once that is known.
    to: Cell<Option<Offset>>,
    /// All of it that could be read is there.
    over: Cell<bool>,
}

impl Window {
    /// Whether nothing of it lies at `next` or behind.
    fn is_used_up(&self, next: Offset) -> bool {
        self.over.get() && self.to.get().is_none_or(|to| to <= next)
    }
}

/// What was read ahead for a reader and is not used up, the nearest first; nothing for one that has read only once.
#[derive(Default)]
pub(in crate::log) struct Following(VecDeque<Rc<Window>>);

impl Following {
    /// Waits for the window in which `from` lies.
    pub(super) async fn wait(&self, from: Offset) {
        for window in &self.0 {
            while !window.over.get() {
                window.signal.wait().await;
            }
            if !window.is_used_up(from) {
                return;
            }
        }
    }

    /// From where on the next window is read for a reader at `next`; `None` while there are enough, or that is not known.
    fn next_window(&mut self, next: Offset) -> Option<Offset> {
        self.0.retain(|window| !window.is_used_up(next));
        match self.0.back() {
            None => Some(next),
            Some(last) if self.0.len() < READ_AHEAD_WINDOWS => last.to.get(),
            Some(_) => None,
        }
    }
}

/// Batches of one read, those that were not asked for yet. Each has had its checksum.
struct Run<R: Runtime> {
    segment: SegmentId,
    batches: Vec<(Position, Slice<R>)>,
    /// Bytes of memory.
    charge: usize,
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
        let others = self.readers.iter().filter(|reader| !reader.following.0.is_empty()).count();
        let share = self.bytes_max / (READ_AHEAD_WINDOWS * (others + 1));
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
    let goes_on = from_disk && following.is_some();
    let mut following = following.unwrap_or_default();
    let size = ahead.window();
    if goes_on
        && size > 0
        && ahead.under_way < READ_AHEADS_MAX
        && let Some(from) = following.next_window(next)
    {
        ahead.under_way += 1;
        let window = Rc::new(Window::default());
        following.0.push_back(Rc::clone(&window));
        let task = Rc::clone(shared);
        shared.spawn(Priority::Foreground, async move {
            fetch(&task, stream, from, size, &window).await;
            task.ahead.borrow_mut().under_way -= 1;
            window.over.set(true);
            window.signal.give();
        });
    }
    ahead.readers.push_back(Reader { stream, next, following });
    if ahead.readers.len() > READERS_FOLLOWED_MAX {
        ahead.readers.pop_front();
    }
}

/// Reads about `size` bytes of `stream` from `from` on into memory. What goes wrong the read meets that asks for it.
async fn fetch<R: Runtime>(
    shared: &Rc<Shared<R>>,
    stream: StreamId,
    from: Offset,
    size: usize,
    window: &Window,
) {
    let Ok(mut rows) = find_rows(shared, stream, from, size).await else { return };
    let is_cached = |(segment, row): &(SegmentId, Row)| {
        shared.cache.borrow().slice(*segment, Position(row.position), row.length).is_some()
    };
    // From there on it is read at the tail.
    let tail = rows.iter().position(is_cached).unwrap_or(rows.len());
    rows.truncate(tail);
    let Some((_, last)) = rows.last() else { return };
    window.to.set(Some(Offset(end_of(last))));
    ask_for_regrouping(shared, rows.iter().map(|(segment, _)| *segment));
    for run in plan_runs(rows.iter().enumerate().map(|(place, (segment, row))| (place, *segment, *row))) {
        let Ok(held) = hold(shared, run.segment) else { break };
        let of_run: Vec<Row> = run.rows.iter().map(|place| rows[*place].1).collect();
        let (slices, charge) = read_run(shared, &held, &run.bytes, &of_run).await;
        let generation = held.generation;
        shared.let_go(held);
        let placed = of_run.iter().zip(slices);
        let whole: Vec<_> =
            placed.map_while(|(row, slice)| Some((Position(row.position), slice.ok()?))).collect();
        let is_whole = whole.len() == of_run.len();
        keep(shared, generation, Run { segment: run.segment, batches: whole, charge });
        if !is_whole {
            break;
        }
    }
    shared.runtime.mark("read-ahead");
}

/// Keeps what was read of a segment, if that is still in use.
fn keep<R: Runtime>(shared: &Shared<R>, generation: Generation, mut run: Run<R>) {
    let in_use = shared.segments.borrow().get(&run.segment).map(|segment| segment.generation);
    if in_use == Some(generation) && !run.batches.is_empty() {
        run.batches.sort_unstable_by_key(|(position, _)| *position);
        shared.ahead.borrow_mut().insert(run);
    }
}
