//! The task that moves batches together, behind everything else.

use std::rc::Rc;
use std::time::Duration;

use thalweg_archive::Validated;

use super::choose::{Choice, Reason, Watched};
use super::copy::{NotMade, Sources, commit, gather, write};
use super::layout::{Bounds, Placed, Selection, select};
use super::moved::moved;
use crate::io::{Monotonic, Priority, Runtime};
use crate::limits::{BLOCK_SIZE, REGROUP_DENSER_MIN, REGROUP_PAUSE_MAX};
use crate::log::ReadError;
use crate::log::format::{FooterV1, RegroupV1, StorePartV1, StoreRestV1, regroup_size_max};
use crate::log::index::{Row, stream_of};
use crate::log::mover::MoverTurn;
use crate::log::segment::{Segment, load_footer};
use crate::log::shared::Shared;
use crate::model::SegmentId;

/// How much of the time the device is used.
pub(in crate::log) struct Pace {
    /// Percent.
    pub(in crate::log) share: u32,
}

impl Pace {
    /// After something that began at `begun`: lets other work have its share of the device, if there is any. A full disk
    /// does not wait.
    pub(in crate::log) async fn rest<R: Runtime>(&self, shared: &Rc<Shared<R>>, begun: Monotonic) {
        let free = {
            let tail = shared.tail.borrow();
            tail.no_space || tail.is_idle()
        };
        if free || shared.is_closed() {
            shared.runtime.yield_now().await;
            return;
        }
        let took = shared.runtime.now().since(begun);
        let pause = took * (100 - self.share) / self.share;
        shared.runtime.sleep(pause.min(REGROUP_PAUSE_MAX)).await;
    }
}

/// Moves batches together where that gives room back or makes reads fast, until the log stops.
pub(in crate::log) async fn run_regrouper<R: Runtime>(shared: Rc<Shared<R>>) {
    let mut watched = Watched::default();
    let mut armed = None;
    while !shared.is_stopped() {
        let choice = if shared.is_closed() { None } else { choose(&shared, &mut watched) };
        if let Some(choice) = choice
            && let Some(_turn) = MoverTurn::of_regrouping(&shared)
            && regroup(&shared, &choice, &mut watched).await
        {
            continue;
        }
        arm(&shared, &watched, &mut armed);
        shared.regrouper.wait().await;
    }
}

fn choose<R: Runtime>(shared: &Rc<Shared<R>>, watched: &mut Watched) -> Option<Choice> {
    let now = shared.runtime.now();
    let is_full = shared.tail.borrow().no_space;
    let index = shared.index.borrow();
    watched.look(&index, now);
    watched.choose(&index, &shared.options, shared.segment_size, is_full, now)
}

/// Has the task woken when something is old enough.
fn arm<R: Runtime>(shared: &Rc<Shared<R>>, watched: &Watched, armed: &mut Option<Monotonic>) {
    let now = shared.runtime.now();
    if shared.is_closed() || armed.is_some_and(|until| until > now) {
        return;
    }
    let due = watched.next_due(&shared.index.borrow(), &shared.options, now);
    // What is due already waits for something else.
    let Some(due) = due.filter(|due| *due > Duration::ZERO) else { return };
    *armed = Some(Monotonic(now.0 + due.as_nanos() as u64));
    let (weak, runtime) = (Rc::downgrade(shared), shared.runtime.clone());
    shared.runtime.spawn(Priority::Background, async move {
        runtime.sleep(due).await;
        if let Some(shared) = weak.upgrade() {
            shared.regrouper.give();
        }
    });
}

/// Moves what is live in the segments chosen. Returns whether anything was moved, or will not be tried again.
async fn regroup<R: Runtime>(shared: &Rc<Shared<R>>, choice: &Choice, watched: &mut Watched) -> bool {
    shared.regrouping.set(choice.reason == Reason::Sparse);
    let result = move_some(shared, choice).await;
    shared.regrouping.set(false);
    // The segment that was given back may be held no longer.
    shared.filler.give();
    shared.learn_whether_reclaiming();
    match result {
        Ok(moved) => moved,
        Err(NotMade::Unread(segment)) => {
            shared.runtime.mark("regroup-damaged-source");
            let generation = shared.index.borrow().segments().get(&segment).map(|state| state.generation);
            if let Some(generation) = generation {
                watched.refuse(segment, generation);
            }
            true
        }
        Err(NotMade::Futile) => {
            watched.give_up(choice.sources.clone());
            true
        }
        Err(NotMade::Over) => false,
    }
}

/// Moves batches of the segments chosen into one store segment; returns whether it did.
async fn move_some<R: Runtime>(shared: &Rc<Shared<R>>, choice: &Choice) -> Result<bool, NotMade> {
    if !shared.tail.borrow_mut().has_store() {
        ask_for_segment(shared);
        return Ok(false);
    }
    let sources = hold(shared, choice)?;
    let rows = live_rows(shared, choice, &sources).await;
    let selection = rows.and_then(|rows| worthwhile(choice, &rows, bounds_of(shared, rows.len())));
    let taken = if selection.is_ok() { shared.tail.borrow_mut().take_store() } else { None };
    let moved = match (selection, &taken) {
        (Err(not_made), _) => Err(not_made),
        (Ok(_), None) => {
            ask_for_segment(shared);
            Ok(false)
        }
        (Ok(selection), Some(segment)) => make(shared, choice, sources, &selection, segment).await,
    };
    if moved.is_err()
        && let Some(segment) = &taken
        && !shared.is_failed()
    {
        shared.runtime.mark("regroup-given-up");
        shared.give_back_store(segment);
    }
    moved
}

/// Refuses what gives nothing back.
fn worthwhile(choice: &Choice, rows: &[Vec<Placed>], bounds: Bounds) -> Result<Selection, NotMade> {
    let selection = select(rows, bounds);
    let emptied = selection.emptied();
    let of_first: u64 =
        rows.first().map_or(0, |rows| rows.iter().map(|placed| u64::from(placed.row.length)).sum());
    let left: u64 = selection.left.iter().map(|placed| u64::from(placed.row.length)).sum();
    // Small batches leave room for little more than they had before; and where what is left of the second is no less than
    // what the first held, the same could be done again and again.
    let is_denser = selection.bytes() * 100 >= of_first * (100 + REGROUP_DENSER_MIN)
        && left * 100 <= of_first * (100 - REGROUP_DENSER_MIN);
    let gains = match choice.reason {
        _ if selection.copied.is_empty() => false,
        // One segment for another is a step on the way, if it holds more and so empties the next one further.
        Reason::Sparse => emptied >= 2 || (emptied == 1 && is_denser),
        Reason::Scattered => true,
    };
    if gains { Ok(selection) } else { Err(NotMade::Futile) }
}

/// Has a segment made ready. On a full disk that is tried again and again anyway.
fn ask_for_segment<R: Runtime>(shared: &Shared<R>) {
    if !shared.tail.borrow().no_space {
        shared.filler.give();
    }
}

/// Holds the segments chosen, unless one of them is in another life by now.
fn hold<R: Runtime>(shared: &Shared<R>, choice: &Choice) -> Result<Sources<R>, NotMade> {
    let segments = shared.segments.borrow();
    let mut held = Sources::<R>::new();
    for (id, generation) in choice.sources.iter().zip(&choice.generations) {
        let segment = segments.get(id).filter(|segment| segment.generation == *generation);
        held.insert(*id, Rc::clone(segment.ok_or(NotMade::Over)?));
    }
    Ok(held)
}

/// What is live in each of the segments chosen, by stream and offset.
async fn live_rows<R: Runtime>(
    shared: &Rc<Shared<R>>,
    choice: &Choice,
    sources: &Sources<R>,
) -> Result<Vec<Vec<Placed>>, NotMade> {
    let mut footers = Vec::with_capacity(choice.sources.len());
    for source in &choice.sources {
        if shared.is_closed() {
            return Err(NotMade::Over);
        }
        match load_footer(shared, &sources[source]).await {
            Ok(footer) => footers.push(footer),
            Err(ReadError::Closed) => return Err(NotMade::Over),
            Err(_) => return Err(NotMade::Unread(*source)),
        }
    }
    // As of one moment: in which part of its stream each batch is, is counted from the first.
    let index = shared.index.borrow();
    let place = |(source, footer): (&SegmentId, &Validated<FooterV1>)| {
        let live = footer.value().rows.iter().map(Row::from).filter(|row| index.is_live(*source, row));
        let placed = |row: Row| {
            let (root, root_end) = index.root_of(stream_of(&row)?, row.base)?;
            Some(Placed { segment: *source, row, root, root_end })
        };
        live.filter_map(placed).collect()
    };
    Ok(choice.sources.iter().zip(&footers).map(place).collect())
}

/// What a store segment may hold that takes batches from so many others.
fn bounds_of<R: Runtime>(shared: &Shared<R>, sources: usize) -> Bounds {
    let options = &shared.options;
    let room = options.frame_size_max.saturating_sub(BLOCK_SIZE + regroup_size_max(sources, 0, 0));
    Bounds {
        segment_size: shared.segment_size as usize,
        frame_size: options.frame_size_target,
        // Each may leave a rest behind.
        parts: (room / (size_of::<StorePartV1>() + size_of::<StoreRestV1>())).max(1),
    }
}

/// Whether a segment that batches were taken from is in another life by now.
fn is_used_again<R: Runtime>(shared: &Shared<R>, regroup: &RegroupV1) -> bool {
    let segments = shared.segments.borrow();
    let mut sources = regroup.sources.iter();
    sources.any(|source| {
        let segment = segments.get(&SegmentId(source.segment));
        segment.is_some_and(|segment| segment.generation.0 != source.generation)
    })
}

/// Makes the store segment, and the frame that says so.
async fn make<R: Runtime>(
    shared: &Rc<Shared<R>>,
    choice: &Choice,
    sources: Sources<R>,
    selection: &Selection,
    segment: &Rc<Segment<R>>,
) -> Result<bool, NotMade> {
    let pace = Pace { share: shared.options.regroup_share };
    let Selection { copied, left, plan, .. } = selection;
    shared.runtime.mark("regroup-begun");
    let frames = gather(shared, &sources, copied, plan, &pace).await;
    for source in sources.into_values() {
        shared.let_go(source);
    }
    if let Err(error) = write(shared, segment, copied, plan, frames?, &pace).await {
        shared.fail(&format!("store segment {} could not be written: {error}", segment.id));
        return Err(NotMade::Over);
    }
    segment.close_file();
    let regroup = RegroupV1 {
        segment: segment.id.0,
        generation: segment.generation.0,
        frames: plan.frames.len() as u64,
        end: plan.end as u32,
        ..moved(choice.lives(selection.sources), copied, left)
    };
    if !regroup.rests.is_empty() {
        shared.runtime.mark("regroup-cut");
    }
    shared.segments.borrow_mut().insert(segment.id, Rc::clone(segment));
    if is_used_again(shared, &regroup) {
        shared.runtime.mark("regroup-source-used-again");
    }
    commit(shared, &regroup).await?;
    shared.runtime.mark("regroup-committed");
    let bytes: u64 = regroup.parts.iter().map(|part| part.bytes).sum();
    shared.count(|status| {
        status.regrouped += 1;
        status.regrouped_bytes += bytes;
    });
    Ok(true)
}
