//! One store segment: read, written, flushed, committed.

use std::collections::BTreeMap;
use std::rc::Rc;

use thalweg_archive::encode;

use super::layout::{FramePlan, Placed, SegmentPlan};
use super::task::Pace;
use crate::io::{Buffer, DiskError, File, Runtime};
use crate::limits::REGROUP_RETRY_DELAY;
use crate::log::format::{
    Entry, EntryKind, FRAME_FLAG_STORE, FRAME_HEADER_SIZE, FooterV1, FrameHeader, RegroupV1,
    encode_directory, payload_checksum,
};
use crate::log::handle::WaitCommitted;
use crate::log::index::Row;
use crate::log::read::{Run, plan_runs};
use crate::log::segment::{Segment, write_footer};
use crate::log::shared::Shared;
use crate::log::write::Purpose;
use crate::log::{AppendError, DraftEntry, ReadError};
use crate::model::{Position, SegmentId, Sequence};

/// Why a store segment was not made. Nothing has changed then.
#[derive(Debug)]
pub(super) enum NotMade {
    /// A batch of this segment could not be read: nothing is moved out of it, so that the damage stays where it is.
    Unread(SegmentId),
    /// It would take as many segments as it gives back.
    Futile,
    /// The log is closed, has failed, or has no room for the frame.
    Over,
}

/// The segments that batches are taken from, held so that their files are not used again.
pub(super) type Sources<R> = BTreeMap<SegmentId, Rc<Segment<R>>>;

/// Frames being built: one buffer each.
type Frames<R> = Vec<<R as Runtime>::Buffer>;

/// Copies batches into memory as `plan` has it, each with its checksum checked.
pub(super) async fn gather<R: Runtime>(
    shared: &Rc<Shared<R>>,
    sources: &Sources<R>,
    rows: &[Placed],
    plan: &SegmentPlan,
    pace: &Pace,
) -> Result<Frames<R>, NotMade> {
    let mut frames: Frames<R> =
        plan.frames.iter().map(|frame| shared.runtime.allocate(frame.length)).collect();
    // By place in the sources: those are read from front to back.
    let mut order: Vec<usize> = (0..plan.places.len()).collect();
    order.sort_unstable_by_key(|number| (rows[*number].segment, rows[*number].row.position));
    let runs = plan_runs(order.into_iter().map(|number| (number, rows[number].segment, rows[number].row)));
    let frame_of = |number: usize| plan.frames.partition_point(|frame| frame.rows.end <= number);
    for run in &runs {
        if shared.is_closed() {
            return Err(NotMade::Over);
        }
        let begun = shared.runtime.now();
        let buffer = read_run(shared, &sources[&run.segment], run).await;
        let buffer = buffer.map_err(|_| NotMade::Unread(run.segment))?;
        for number in &run.rows {
            let row = &rows[*number].row;
            let from = (row.position - run.bytes.start) as usize;
            let bytes = buffer.bytes().get(from..from + row.length as usize);
            let sound = bytes.filter(|bytes| {
                payload_checksum(row.checksum_kind, row.checksum_from, bytes) == Some(row.checksum)
            });
            let bytes = sound.ok_or(NotMade::Unread(run.segment))?;
            let place = plan.places[*number] as usize;
            frames[frame_of(*number)].bytes_mut()[place..place + bytes.len()].copy_from_slice(bytes);
            if shared.runtime.should_yield() {
                shared.runtime.yield_now().await;
            }
        }
        drop(buffer);
        pace.rest(shared, begun).await;
    }
    Ok(frames)
}

async fn read_run<R: Runtime>(
    shared: &Shared<R>,
    source: &Segment<R>,
    run: &Run,
) -> Result<R::Buffer, ReadError> {
    let file = source.file(shared).await?;
    let read = file.read_at(u64::from(run.bytes.start), run.bytes.len()).await;
    read.map_err(|source| ReadError::Disk { source })
}

/// Writes `frames` to `segment`, with a footer behind them; all of it is durable on return.
pub(super) async fn write<R: Runtime>(
    shared: &Rc<Shared<R>>,
    segment: &Segment<R>,
    rows: &[Placed],
    plan: &SegmentPlan,
    frames: Frames<R>,
    pace: &Pace,
) -> Result<(), DiskError> {
    let file = segment.open_file();
    let mut previous_checksum = 0;
    let mut footer = Vec::with_capacity(plan.places.len());
    for (number, (frame, mut buffer)) in plan.frames.iter().zip(frames).enumerate() {
        let places = &plan.places[frame.rows.clone()];
        let placed = rows[frame.rows.clone()].iter().zip(places);
        let entries: Vec<Entry> = placed.map(|(placed, at)| Entry { position: *at, ..placed.row }).collect();
        let behind = frame.position as u32;
        footer.extend(entries.iter().map(|entry| Row { position: behind + entry.position, ..*entry }));
        let header = FrameHeader {
            log: shared.log,
            segment: segment.id,
            generation: segment.generation,
            sequence: Sequence(number as u64 + 1),
            incarnation: shared.incarnation,
            previous_checksum,
            ..header_of(frame)
        };
        previous_checksum = finish(buffer.bytes_mut(), header, &entries);
        let begun = shared.runtime.now();
        file.write_at(Rc::new(buffer), frame.position as u64).await?;
        pace.rest(shared, begun).await;
    }
    let archive = encode(&FooterV1 { rows: footer });
    let last = Sequence(plan.frames.len() as u64);
    write_footer(shared, segment, &file, &archive, (Sequence(1), last, Position(plan.end as u32))).await
}

fn header_of(frame: &FramePlan) -> FrameHeader {
    FrameHeader {
        position: Position(frame.position as u32),
        length: frame.length as u32,
        entry_count: frame.rows.len() as u32,
        payload_start: frame.payload_start as u32,
        payload_end: frame.payload_end as u32,
        flags: FRAME_FLAG_STORE,
        ..FrameHeader::default()
    }
}

/// Puts header and directory before the payloads of a frame; returns the header's checksum.
fn finish(frame: &mut [u8], mut header: FrameHeader, entries: &[Entry]) -> u32 {
    let mut directory = Vec::new();
    encode_directory(entries, &mut directory);
    header.directory_size = directory.len() as u32;
    header.directory_checksum = crc32fast::hash(&directory);
    frame[FRAME_HEADER_SIZE..][..directory.len()].copy_from_slice(&directory);
    header.encode(frame)
}

/// Commits the frame that says what was moved into a whole and durable segment.
pub(super) async fn commit<R: Runtime>(shared: &Rc<Shared<R>>, regroup: &RegroupV1) -> Result<(), NotMade> {
    let payload = encode(regroup);
    let entry = Entry {
        kind: EntryKind::Regrouped.raw(),
        subject: u64::from(regroup.segment),
        base: regroup.generation,
        ..Entry::default()
    };
    let draft = DraftEntry { entry, payload: &payload };
    let sequence = loop {
        if shared.is_closed() {
            return Err(NotMade::Over);
        }
        let appended = shared.tail.borrow_mut().append(&shared.runtime, &[draft], Purpose::Relief);
        shared.writer.give();
        match appended {
            Ok(sequence) => break sequence,
            Err(AppendError::Busy) => {
                shared.filler.give();
                // Not for what others wait for: they may wait for this.
                shared.runtime.sleep(REGROUP_RETRY_DELAY).await;
            }
            Err(_) => {
                shared.runtime.mark("regroup-no-room");
                return Err(NotMade::Over);
            }
        }
    };
    WaitCommitted::new(shared, sequence).await.map_err(|_| NotMade::Over)
}
