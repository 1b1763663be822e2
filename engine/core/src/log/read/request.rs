//! One read.

use std::ops::Range;
use std::rc::Rc;

use super::ahead::read_on;
use super::plan::{Run, plan_runs};
use crate::io::{Buffer, DiskError, File, Priority, Runtime};
use crate::limits::READ_CHECK_SLICE;
use crate::log::format::{EntryKind, payload_checksum};
use crate::log::index::{Found, Row, end_of};
use crate::log::segment::{Segment, load_footer};
use crate::log::shared::Shared;
use crate::log::signal::Slot;
use crate::log::{ReadBatch, ReadError, Slice};
use crate::model::{Generation, Offset, Position, RecordCount, SegmentId, StreamId, Timestamp};

/// Reads batches of `stream`; see [`Log::read`](crate::log::Log::read).
pub(in crate::log) async fn read<R: Runtime>(
    shared: &Rc<Shared<R>>,
    stream: StreamId,
    from: Offset,
    bytes_max: usize,
) -> Result<Vec<ReadBatch<R>>, ReadError> {
    let following = shared.ahead.borrow_mut().follow(stream, from);
    if let Some(following) = &following {
        following.wait(from).await;
    }
    let mut rows = find_rows(shared, stream, from, bytes_max).await?;
    let mut slices = cached(shared, &rows);
    let at_tail = slices.iter().filter(|slice| slice.is_some()).count();
    if take_ahead(shared, &rows, &mut slices) {
        // The rest is being read ahead, or will be.
        let there = slices.iter().position(Option::is_none).unwrap_or(slices.len());
        slices.truncate(there);
        rows.truncate(there);
    }
    let batches = serve(shared, &rows, slices, true).await?;
    if let Some(last) = batches.last() {
        // One that has come to the tail needs nothing read ahead.
        read_on(shared, stream, last.end, following, at_tail == 0);
    }
    Ok(batches)
}

/// Reads the batches of `rows`, for no reader that goes on.
pub(in crate::log) async fn read_rows<R: Runtime>(
    shared: &Rc<Shared<R>>,
    rows: &[(SegmentId, Row)],
) -> Result<Vec<ReadBatch<R>>, ReadError> {
    let slices = cached(shared, rows);
    serve(shared, rows, slices, false).await
}

/// For each row what there is in memory.
type Slices<R> = Vec<Option<Result<Slice<R>, ReadError>>>;

fn cached<R: Runtime>(shared: &Shared<R>, rows: &[(SegmentId, Row)]) -> Slices<R> {
    let cache = shared.cache.borrow();
    let slice = |(segment, row): &(SegmentId, Row)| cache.slice(*segment, Position(row.position), row.length);
    rows.iter().map(|place| slice(place).map(Ok)).collect()
}

/// The batches of `rows`, those not in memory from the disk. `asks`: has them moved together where they lie scattered.
async fn serve<R: Runtime>(
    shared: &Rc<Shared<R>>,
    rows: &[(SegmentId, Row)],
    mut slices: Slices<R>,
    asks: bool,
) -> Result<Vec<ReadBatch<R>>, ReadError> {
    let misses = || rows.iter().zip(&slices).enumerate().filter(|(_, (_, slice))| slice.is_none());
    let missing = misses().count();
    shared.count(|status| {
        status.cache_hits += (rows.len() - missing) as u64;
        status.cache_misses += missing as u64;
    });
    if missing < rows.len() {
        shared.runtime.mark("read-from-cache");
    }
    if missing > 0 {
        shared.runtime.mark("read-from-disk");
        if asks {
            ask_for_regrouping(shared, misses().map(|(_, ((segment, _), _))| *segment));
        }
        let runs = plan_runs(misses().map(|(place, ((segment, row), _))| (place, *segment, *row)));
        // All are begun before the first is awaited. Each is a task of its own: if the caller goes away, the
        // operation is still awaited.
        let begun: Vec<_> = runs.iter().map(|run| begin_run(shared, run, rows)).collect();
        for (run, slot) in runs.iter().zip(begun) {
            for (place, slice) in run.rows.iter().zip(slot.wait().await) {
                slices[*place] = Some(slice);
            }
        }
    }
    let mut batches = Vec::with_capacity(rows.len());
    for ((_, row), slice) in rows.iter().zip(slices) {
        match slice.expect("every row was served from memory or from a read") {
            Ok(slice) => batches.push(batch_of(row, slice)),
            Err(error) if batches.is_empty() => return Err(error),
            // The next read begins at this one, and fails.
            Err(_) => break,
        }
    }
    Ok(batches)
}

/// Puts in their places what was read ahead of `rows`; whether the first was.
fn take_ahead<R: Runtime>(
    shared: &Shared<R>,
    rows: &[(SegmentId, Row)],
    slices: &mut [Option<Result<Slice<R>, ReadError>>],
) -> bool {
    let mut ahead = shared.ahead.borrow_mut();
    let mut taken = false;
    for ((segment, row), slice) in rows.iter().zip(slices).skip_while(|(_, slice)| slice.is_some()) {
        let Some(found) = ahead.take(*segment, Position(row.position)) else { break };
        *slice = Some(Ok(found));
        taken = true;
    }
    if taken {
        shared.runtime.mark("served-ahead");
    }
    taken
}

/// Has the batches of segments that are read from the disk moved together, where they lie scattered.
pub(super) fn ask_for_regrouping<R: Runtime>(shared: &Shared<R>, segments: impl Iterator<Item = SegmentId>) {
    let mut index = shared.index.borrow_mut();
    let mut last = None;
    for segment in segments {
        if last.replace(segment) == Some(segment) {
            continue;
        }
        if let Some(state) = index.segment_mut(segment)
            && !state.asked
            && state.is_source()
            && state.is_scattered(shared.options.run_size_min)
        {
            state.asked = true;
            shared.regrouper.give();
        }
    }
}

/// The rows to read, after a check of the bounds.
pub(super) async fn find_rows<R: Runtime>(
    shared: &Rc<Shared<R>>,
    stream: StreamId,
    from: Offset,
    bytes_max: usize,
) -> Result<Vec<(SegmentId, Row)>, ReadError> {
    let mut rows = Vec::new();
    loop {
        if shared.is_stopped() {
            return Err(ReadError::Closed);
        }
        rows.clear();
        let found = {
            let index = shared.index.borrow();
            let bounds = index.bounds(stream).ok_or(ReadError::UnknownStream)?;
            if from < bounds.start || from > bounds.end {
                return Err(ReadError::OutOfRange { start: bounds.start, end: bounds.end });
            }
            let footers = shared.footers.borrow();
            let footer = |segment, from| footers.rows(segment, stream, from);
            index.find(stream, from.0, bytes_max, footer, &mut rows)
        };
        match found {
            Found::Rows => return Ok(rows),
            Found::Footer { segment, generation } => fetch_footer(shared, segment, generation).await?,
        }
    }
}

/// Reads the footer of `segment` into memory.
pub(in crate::log) async fn fetch_footer<R: Runtime>(
    shared: &Rc<Shared<R>>,
    segment: SegmentId,
    generation: Generation,
) -> Result<(), ReadError> {
    let held = hold(shared, segment)?;
    debug_assert_eq!(held.generation, generation);
    let slot = Slot::new();
    let (filled, task) = (slot.clone(), Rc::clone(shared));
    shared.spawn(Priority::Foreground, async move {
        let footer = load_footer(&task, &held).await;
        task.let_go(held);
        filled.fill(footer);
    });
    let footer = slot.wait().await.map_err(|error| missing_is_damage(segment, error))?;
    // Looked up again: the segment may have been retired meanwhile.
    let in_use = shared.segments.borrow().get(&segment).map(|segment| segment.generation);
    if in_use == Some(generation) {
        shared.footers.borrow_mut().insert(segment, footer);
    }
    Ok(())
}

/// A file that was there when the log was opened, and is no more, is damage.
fn missing_is_damage(segment: SegmentId, error: ReadError) -> ReadError {
    match error {
        ReadError::Disk { source: DiskError::NotFound { .. } } => {
            ReadError::Damaged { segment, position: Position(0), what: "its file is missing" }
        }
        error => error,
    }
}

/// Holds a segment, so that its file is not used again.
pub(super) fn hold<R: Runtime>(shared: &Shared<R>, segment: SegmentId) -> Result<Rc<Segment<R>>, ReadError> {
    let what = "the index names a segment that is not in use";
    let damaged = ReadError::Damaged { segment, position: Position(0), what };
    shared.segments.borrow().get(&segment).map(Rc::clone).ok_or(damaged)
}

/// One for each row.
type RunResult<R> = Vec<Result<Slice<R>, ReadError>>;

fn begin_run<R: Runtime>(shared: &Rc<Shared<R>>, run: &Run, rows: &[(SegmentId, Row)]) -> Slot<RunResult<R>> {
    let slot = Slot::new();
    let held = match hold(shared, run.segment) {
        Ok(held) => held,
        Err(error) => {
            slot.fill(vec![Err(error); run.rows.len()]);
            return slot;
        }
    };
    let rows: Vec<Row> = run.rows.iter().map(|place| rows[*place].1).collect();
    let (filled, task, bytes) = (slot.clone(), Rc::clone(shared), run.bytes.clone());
    shared.spawn(Priority::Foreground, async move {
        let (result, _) = read_run(&task, &held, &bytes, &rows).await;
        task.let_go(held);
        filled.fill(result);
    });
    slot
}

/// Reads `bytes` of a segment when it is its turn, and cuts the batches `rows` out of them; also how much memory they keep.
pub(super) async fn read_run<R: Runtime>(
    shared: &Shared<R>,
    held: &Segment<R>,
    bytes: &Range<u32>,
    rows: &[Row],
) -> (RunResult<R>, usize) {
    let turn = shared.read_turns.take().await;
    let read = read_blocks(shared, held, bytes.start, bytes.len()).await;
    let buffer = match read {
        Ok(buffer) => buffer,
        Err(error) => return (vec![Err(missing_is_damage(held.id, error)); rows.len()], 0),
    };
    let mut slices = Vec::with_capacity(rows.len());
    let mut checked = 0;
    for row in rows {
        slices.push(cut(shared, held.id, &buffer, bytes.start, row));
        checked += row.length as usize;
        // Appends go first.
        if checked >= READ_CHECK_SLICE {
            checked = 0;
            shared.runtime.yield_now().await;
        }
    }
    drop(turn);
    (slices, buffer.bytes().len())
}

/// Reads whole blocks.
async fn read_blocks<R: Runtime>(
    shared: &Shared<R>,
    segment: &Segment<R>,
    start: u32,
    size: usize,
) -> Result<Rc<R::Buffer>, ReadError> {
    let file = segment.file(shared).await?;
    let read = file.read_at(u64::from(start), size).await;
    Ok(Rc::new(read.map_err(|source| ReadError::Disk { source })?))
}

/// Cuts a batch out of blocks that begin at `start`, and checks its checksum.
fn cut<R: Runtime>(
    shared: &Shared<R>,
    segment: SegmentId,
    buffer: &Rc<R::Buffer>,
    start: u32,
    row: &Row,
) -> Result<Slice<R>, ReadError> {
    let damaged = |what| ReadError::Damaged { segment, position: Position(row.position), what };
    let from = (row.position - start) as usize;
    let range = from..from + row.length as usize;
    let bytes = buffer.bytes().get(range.clone()).ok_or(damaged("the batch is cut off"))?;
    if payload_checksum(row.checksum_kind, row.checksum_from, bytes) != Some(row.checksum) {
        shared.runtime.mark("read-damaged");
        return Err(damaged("the batch does not have its checksum"));
    }
    Ok(Slice::new(Rc::clone(buffer), range))
}

pub(super) fn batch_of<R: Runtime>(row: &Row, bytes: Slice<R>) -> ReadBatch<R> {
    let compacted = row.kind == EntryKind::CompactedBatch.raw();
    ReadBatch {
        base: Offset(row.base),
        end: Offset(end_of(row)),
        count: RecordCount(u64::from(row.count)),
        encoding: row.encoding,
        subject: row.subject,
        // Records that several producers may have appended.
        owner: if compacted { u64::MAX } else { row.owner },
        epoch: row.epoch,
        sequence: row.sequence,
        timestamp_max: Timestamp(row.timestamp_max),
        bytes,
    }
}
