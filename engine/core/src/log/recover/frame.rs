//! Whether bytes are the next frame. Pure.

use crate::limits::BLOCK_SIZE;
use crate::log::format::ReplayStart;
use crate::log::format::{Entry, FrameError, FrameHeader, read_directory, verify_payload};
use crate::model::{Incarnation, LogId, Position, Sequence};

/// What the next frame of a log must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) log: LogId,
    /// Where it is, and what precedes it.
    pub(super) at: ReplayStart,
    /// Incarnation of the frame before; it never falls.
    pub(super) incarnation: Incarnation,
    pub(super) segment_size: u32,
}

/// Why bytes are not the next frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// Zeros.
    Nothing,
    /// A frame, or the beginning of one, of another place or time.
    Leftover,
    /// Not whole.
    Torn { what: String },
    /// Written by a newer program.
    Newer { found: u16, known: u16 },
}

impl Refusal {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Nothing => "there is nothing".to_owned(),
            Self::Leftover => "there is the leftover of an earlier time".to_owned(),
            Self::Torn { what } => what.clone(),
            Self::Newer { found, .. } => format!("there is a frame of format {found}"),
        }
    }
}

/// Checks the header of the next frame. `bytes`: at least a block, unless the file ends.
pub(super) fn check_header(bytes: &[u8], expected: &Expected) -> Result<FrameHeader, Refusal> {
    let header = FrameHeader::decode(bytes, expected.log).map_err(|error| match error {
        FrameError::NotAFrame if bytes[..bytes.len().min(BLOCK_SIZE)].iter().all(|byte| *byte == 0) => {
            Refusal::Nothing
        }
        FrameError::OtherLog { .. } => Refusal::Leftover,
        FrameError::NewerVersion { found, known } => Refusal::Newer { found, known },
        error => Refusal::Torn { what: error.to_string() },
    })?;
    let at = &expected.at;
    let follows = header.belongs_at(at.segment, at.generation, at.position)
        && header.sequence == at.sequence.next()
        && header.previous_checksum == at.previous_checksum
        && header.incarnation >= expected.incarnation;
    if !follows {
        return Err(Refusal::Leftover);
    }
    if header.end().0 > expected.segment_size {
        return Err(Refusal::Torn { what: "the frame reaches beyond its segment".to_owned() });
    }
    Ok(header)
}

/// Checks the rest of the frame whose checked header is `header`, and returns its entries in `entries`.
pub(super) fn check_body(
    bytes: &[u8],
    header: &FrameHeader,
    entries: &mut Vec<Entry>,
) -> Result<(), Refusal> {
    let torn = |error: FrameError| match error {
        FrameError::NewerVersion { found, known } => Refusal::Newer { found, known },
        error => Refusal::Torn { what: error.to_string() },
    };
    entries.clear();
    let Some(bytes) = bytes.get(..header.length as usize) else {
        return Err(Refusal::Torn { what: "the frame is cut off".to_owned() });
    };
    let directory = read_directory(bytes, header).map_err(torn)?;
    for entry in directory.iter() {
        if entry.length > 0 {
            verify_payload(&entry, bytes).map_err(torn)?;
        }
        entries.push(entry);
    }
    Ok(())
}

/// Whether the block at `position` begins a frame that knows `lost`, the next frame, durable: then that was
/// acknowledged.
pub(super) fn knows_durable(
    block: &[u8],
    expected: &Expected,
    position: Position,
    lost: Sequence,
) -> Option<Sequence> {
    let header = FrameHeader::decode(block, expected.log).ok()?;
    let belongs = header.belongs_at(expected.at.segment, expected.at.generation, position);
    // One of an earlier start never follows; it is a leftover, whatever it knew.
    let follows = header.sequence > lost && header.incarnation >= expected.incarnation;
    (belongs && follows && header.durable_up_to >= lost).then_some(header.durable_up_to)
}
