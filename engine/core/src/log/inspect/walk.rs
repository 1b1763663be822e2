//! The frames of one segment, past those that do not read.

use std::ops::Range;
use std::path::Path;

use super::{FrameView, InspectError};
use crate::io::Runtime;
use crate::limits::BLOCK_SIZE;
use crate::log::format::{
    Directory, FRAME_HEADER_SIZE, FrameError, FrameHeader, read_directory, verify_payload,
};
use crate::log::index::{Row, SegmentState, stream_of};
use crate::log::recover::{Expected, Refusal, SegmentReader, check_header};
use crate::log::segment::add_rows;
use crate::model::{Incarnation, Position, Sequence};

/// The frame that precedes another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) sequence: Sequence,
    pub(super) checksum: u32,
    pub(super) incarnation: Incarnation,
}

/// Frames that do not read.
#[derive(Debug)]
pub(super) struct Gap {
    /// What of the segment they take.
    pub(super) bytes: Range<u32>,
    /// Where it shows.
    pub(super) position: u32,
    pub(super) what: String,
}

/// A payload that does not have its checksum.
#[derive(Debug)]
pub(super) struct BadPayload {
    /// Its entry, with a position in the segment.
    pub(super) row: Row,
    pub(super) what: String,
}

/// What was found in a segment.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) frames: u64,
    pub(super) entries: u64,
    pub(super) payload_bytes: u64,
    /// Batches of frames whose directory reads, in order.
    pub(super) rows: Vec<Row>,
    pub(super) gaps: Vec<Gap>,
    pub(super) payloads: Vec<BadPayload>,
    /// The last frame, if it reads.
    pub(super) last: Option<Link>,
}

/// How much of each frame is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Depth {
    /// Header and directory.
    Directories,
    /// Everything.
    Payloads,
}

/// Reads the frames of the segment that `expected` names, which the index knows as `state`, and shows each to
/// `visit` until that returns `false`. `before`: the frame before the first, if that is known.
pub(super) async fn walk<R: Runtime>(
    runtime: &R,
    reader: &mut SegmentReader<R>,
    mut expected: Expected,
    state: &SegmentState,
    before: Option<Link>,
    depth: Depth,
    mut visit: impl FnMut(FrameView) -> bool,
) -> Result<Walked, Newer> {
    let mut walked = Walked { last: before, ..Walked::default() };
    expected.at.sequence = Sequence(state.first.0.saturating_sub(1));
    expected.at.position = Position(BLOCK_SIZE as u32);
    while expected.at.position < state.end {
        if runtime.should_yield() {
            runtime.yield_now().await;
        }
        let from = expected.at.position.0;
        let header = match next_header(reader, &mut expected, &walked).await {
            Ok(header) => header,
            Err(Stop::Newer(newer)) => return Err(newer),
            Err(Stop::Unread { what }) => {
                let found = resync(reader, &expected, state).await;
                let to = found.map_or(state.end, |(position, _)| position);
                walked.gaps.push(Gap { bytes: from..to.0, position: from, what });
                walked.last = None;
                expected.at.position = to;
                expected.at.sequence = found.map_or(state.last, |(_, before)| before);
                continue;
            }
        };
        match read_body(reader, &header, depth, &mut walked).await {
            Ok(view) => {
                if !visit(view) {
                    return Ok(walked);
                }
            }
            Err(Stop::Newer(newer)) => return Err(newer),
            Err(Stop::Unread { what }) => {
                let position = from + FRAME_HEADER_SIZE as u32;
                walked.gaps.push(Gap { bytes: from..header.end().0, position, what });
                if !visit(view_of(&header, None)) {
                    return Ok(walked);
                }
            }
        }
        let (sequence, checksum, incarnation) = (header.sequence, header.checksum, header.incarnation);
        walked.last = Some(Link { sequence, checksum, incarnation });
        (expected.at.sequence, expected.at.position) = (sequence, header.end());
    }
    check_end(&expected, state, &mut walked);
    Ok(walked)
}

/// A frame or a directory of a newer version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newer {
    found: u16,
    known: u16,
}

impl Newer {
    /// The error, for a frame in `file`.
    pub(super) fn in_file(self, file: &Path) -> InspectError {
        let Self { found, known } = self;
        InspectError::NewerVersion { file: file.to_owned(), found, known }
    }
}

enum Stop {
    Newer(Newer),
    Unread { what: String },
}

/// The header of the frame that `expected` tells, as far as what precedes it is known.
async fn next_header<R: Runtime>(
    reader: &mut SegmentReader<R>,
    expected: &mut Expected,
    walked: &Walked,
) -> Result<FrameHeader, Stop> {
    let block = reader.bytes(expected.at.position.0, BLOCK_SIZE).await;
    // What the device does not give is lost like what does not have its checksum.
    let block = block.map_err(|error| Stop::Unread { what: error.to_string() })?;
    match walked.last.filter(|last| last.sequence == expected.at.sequence) {
        Some(last) => {
            (expected.at.previous_checksum, expected.incarnation) = (last.checksum, last.incarnation);
        }
        None => {
            let said = FrameHeader::decode(block, expected.log).map(|header| header.previous_checksum);
            expected.at.previous_checksum = said.unwrap_or_default();
        }
    }
    check_header(block, expected).map_err(|refusal| match refusal {
        Refusal::Newer { found, known } => Stop::Newer(Newer { found, known }),
        refusal => Stop::Unread { what: format!("a frame does not read: {}", refusal.describe()) },
    })
}

/// Reads the directory of a frame, and its payloads.
async fn read_body<R: Runtime>(
    reader: &mut SegmentReader<R>,
    header: &FrameHeader,
    depth: Depth,
    walked: &mut Walked,
) -> Result<FrameView, Stop> {
    let unread = |error: FrameError| match error {
        FrameError::NewerVersion { found, known } => Stop::Newer(Newer { found, known }),
        error => Stop::Unread { what: error.to_string() },
    };
    let size = match depth {
        Depth::Directories => {
            (FRAME_HEADER_SIZE + header.directory_size as usize).next_multiple_of(BLOCK_SIZE)
        }
        Depth::Payloads => header.length as usize,
    };
    let bytes = reader.bytes(header.position.0, size).await;
    let bytes = bytes.map_err(|error| Stop::Unread { what: error.to_string() })?;
    let directory = read_directory(bytes, header).map_err(unread)?;
    walked.entries += directory.len() as u64;
    let bad_before = walked.payloads.len();
    add_rows(header.position, &directory, &mut walked.rows);
    if depth == Depth::Payloads {
        for entry in directory.iter().filter(|entry| entry.length > 0) {
            match verify_payload(&entry, bytes) {
                Ok(payload) => walked.payload_bytes += payload.len() as u64,
                Err(error) => {
                    let row = Row { position: header.position.0 + entry.position, ..entry };
                    walked.payloads.push(BadPayload { row, what: error.to_string() });
                }
            }
        }
    }
    walked.frames += u64::from(walked.payloads.len() == bad_before);
    Ok(view_of(header, Some(&directory)))
}

fn view_of(header: &FrameHeader, directory: Option<&Directory<'_>>) -> FrameView {
    let batches =
        directory.map(|directory| directory.iter().filter(|entry| stream_of(entry).is_some()).count());
    FrameView {
        sequence: header.sequence,
        segment: header.segment,
        position: header.position,
        length: header.length,
        incarnation: header.incarnation,
        durable_up_to: header.durable_up_to,
        entries: header.entry_count,
        batches: batches.map(|batches| batches as u32),
        payload_bytes: directory.map(|directory| directory.iter().map(|entry| u64::from(entry.length)).sum()),
    }
}

/// The next frame of the segment behind one that does not read: where it begins, and which one precedes it.
async fn resync<R: Runtime>(
    reader: &mut SegmentReader<R>,
    expected: &Expected,
    state: &SegmentState,
) -> Option<(Position, Sequence)> {
    let at = &expected.at;
    let mut position = at.position.0 + BLOCK_SIZE as u32;
    while position < state.end.0 {
        // What the device does not give here, it is not asked for again.
        let block = reader.bytes(position, BLOCK_SIZE).await.ok()?;
        if let Ok(header) = FrameHeader::decode(block, expected.log)
            && header.belongs_at(at.segment, at.generation, Position(position))
            && header.sequence > at.sequence.next()
            && header.sequence <= state.last
            && header.incarnation >= expected.incarnation
        {
            return Some((Position(position), Sequence(header.sequence.0 - 1)));
        }
        position += BLOCK_SIZE as u32;
    }
    None
}

/// Checks that the frames end where the index says.
fn check_end(expected: &Expected, state: &SegmentState, walked: &mut Walked) {
    let (sequence, position) = (expected.at.sequence, expected.at.position);
    if state.first == Sequence(0) || (sequence == state.last && position == state.end) {
        return;
    }
    let what = format!(
        "the frames end with frame {sequence} at byte {position}, not with frame {} at byte {}",
        state.last, state.end
    );
    let at = position.0.min(state.end.0);
    walked.gaps.push(Gap { bytes: at..state.end.0, position: at, what });
}
