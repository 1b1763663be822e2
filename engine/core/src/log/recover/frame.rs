//! Whether bytes are the next frame. Pure.

use crate::limits::BLOCK_SIZE;
use crate::log::format::{
    Entry, EntryKind, FrameError, FrameHeader, read_directory, read_regroup, verify_payload,
};
use crate::log::format::{ReplayStart, Superblock};
use crate::log::index::SegmentClass;
use crate::model::{Incarnation, LogId, Position, Sequence};

/// What the next frame of a log must be.
#[derive(Clone, Copy, Debug)]
pub(in crate::log) struct Expected {
    pub(in crate::log) log: LogId,
    /// Where it is, and what precedes it.
    pub(in crate::log) at: ReplayStart,
    /// Incarnation of the frame before; it never falls.
    pub(in crate::log) incarnation: Incarnation,
    pub(in crate::log) start: KnownStart,
    pub(in crate::log) segment_size: u32,
    /// What the segment is for.
    pub(in crate::log) class: SegmentClass,
}

impl Expected {
    /// The first frame behind the checkpoint that `superblock` names.
    pub(in crate::log) fn behind(superblock: &Superblock) -> Self {
        Self {
            log: superblock.log,
            at: superblock.replay,
            incarnation: Incarnation(0),
            start: KnownStart::of(superblock),
            segment_size: superblock.segment_size,
            class: SegmentClass::Journal,
        }
    }
}

/// The newest start that the superblock knows; by default none.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::log) struct KnownStart {
    incarnation: Incarnation,
    /// The last frame that it found, or a later one that it wrote.
    last: Sequence,
}

impl KnownStart {
    pub(in crate::log) fn of(superblock: &Superblock) -> Self {
        Self { incarnation: superblock.incarnation, last: superblock.durable_up_to }
    }

    /// Whether it can have left this frame in its place: what it did not find it wrote itself.
    ///
    /// The chain of checksums does not tell: the frame of an earlier start that lacked its end is whole again where
    /// this start wrote the same bytes in its place and a crash took their beginning.
    fn leaves(&self, header: &FrameHeader) -> bool {
        header.sequence <= self.last || header.incarnation >= self.incarnation
    }
}

/// Why bytes are not the next frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::log) enum Refusal {
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
    pub(in crate::log) fn describe(&self) -> String {
        match self {
            Self::Nothing => "there is nothing".to_owned(),
            Self::Leftover => "there is the leftover of an earlier time".to_owned(),
            Self::Torn { what } => what.clone(),
            Self::Newer { found, .. } => format!("there is a frame of format {found}"),
        }
    }

    /// What is wrong where `evidence` says that frame `lost` was acknowledged.
    pub(in crate::log) fn contradicts(&self, lost: Sequence, evidence: &str) -> String {
        format!("frame {lost} was acknowledged: {evidence}; but {}", self.describe())
    }
}

/// Checks the header of the next frame. `bytes`: at least a block, unless the file ends.
pub(in crate::log) fn check_header(bytes: &[u8], expected: &Expected) -> Result<FrameHeader, Refusal> {
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
        && header.incarnation >= expected.incarnation
        && header.is_store() == (expected.class == SegmentClass::Store);
    if !follows {
        return Err(Refusal::Leftover);
    }
    if !expected.start.leaves(&header) {
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
            let payload = verify_payload(&entry, bytes).map_err(torn)?;
            if entry.known_kind() == Some(EntryKind::Regrouped) {
                read_regroup(payload).map_err(torn)?;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::encode_directory;
    use crate::model::{Generation, SegmentId};

    const LOG: LogId = LogId(77);

    fn expected() -> Expected {
        let at = ReplayStart {
            sequence: Sequence(41),
            previous_checksum: 0xabcd,
            segment: SegmentId(3),
            generation: Generation(9),
            position: Position(8192),
        };
        let start = KnownStart::default();
        Expected {
            log: LOG,
            at,
            incarnation: Incarnation(5),
            start,
            segment_size: 1 << 20,
            class: SegmentClass::Journal,
        }
    }

    fn header() -> FrameHeader {
        FrameHeader {
            log: LOG,
            segment: SegmentId(3),
            generation: Generation(9),
            position: Position(8192),
            sequence: Sequence(42),
            durable_up_to: Sequence(41),
            incarnation: Incarnation(5),
            previous_checksum: 0xabcd,
            ..FrameHeader::default()
        }
    }

    /// A whole frame without entries.
    fn frame(mut header: FrameHeader) -> Vec<u8> {
        let mut directory = Vec::new();
        encode_directory(&[], &mut directory);
        header.length = BLOCK_SIZE as u32;
        header.directory_size = directory.len() as u32;
        header.directory_checksum = crc32fast::hash(&directory);
        (header.payload_start, header.payload_end) = (256, 256);
        let mut bytes = vec![0; BLOCK_SIZE];
        header.encode(&mut bytes);
        bytes[128..128 + directory.len()].copy_from_slice(&directory);
        bytes
    }

    fn refusal(header: FrameHeader) -> Option<Refusal> {
        check_header(&frame(header), &expected()).err()
    }

    #[test]
    fn the_next_frame_is_accepted_whole() {
        let bytes = frame(header());
        let accepted = check_header(&bytes, &expected()).unwrap();
        let mut entries = vec![Entry::default()];
        assert_eq!(check_body(&bytes, &accepted, &mut entries), Ok(()));
        assert_eq!(entries, []);
        assert_eq!(refusal(FrameHeader { incarnation: Incarnation(6), ..header() }), None);
    }

    #[test]
    fn each_rule_alone_refuses_a_frame_that_all_others_would_accept() {
        let leftovers = [
            FrameHeader { generation: Generation(8), ..header() },
            FrameHeader { segment: SegmentId(4), ..header() },
            FrameHeader { position: Position(4096), ..header() },
            FrameHeader { sequence: Sequence(43), ..header() },
            FrameHeader { previous_checksum: 0xabce, ..header() },
            FrameHeader { incarnation: Incarnation(4), ..header() },
            FrameHeader { log: LogId(78), ..header() },
        ];
        for leftover in leftovers {
            assert_eq!(refusal(leftover), Some(Refusal::Leftover), "{leftover:?}");
        }
        let beyond = Expected { segment_size: 8192, ..expected() };
        assert!(matches!(check_header(&frame(header()), &beyond), Err(Refusal::Torn { .. })));
        assert_eq!(check_header(&[0; BLOCK_SIZE], &expected()), Err(Refusal::Nothing));
    }

    #[test]
    fn what_a_start_has_not_found_is_of_that_start_or_a_later_one() {
        let refusal = |incarnation, last| {
            let start = KnownStart { incarnation: Incarnation(incarnation), last: Sequence(last) };
            check_header(&frame(header()), &Expected { start, ..expected() }).err()
        };
        assert_eq!(refusal(5, 41), None);
        assert_eq!(refusal(6, 42), None);
        assert_eq!(refusal(6, 41), Some(Refusal::Leftover));
    }

    #[test]
    fn a_frame_of_another_log_is_refused_even_with_this_logs_id_put_in() {
        // What a payload can hold: a frame made by somebody who knows everything but the log's id when it was
        // sealed, and a log id patched in afterwards.
        let mut bytes = frame(FrameHeader { log: LogId(78), ..header() });
        bytes[16..24].copy_from_slice(&LOG.0.to_le_bytes());
        assert!(matches!(check_header(&bytes, &expected()), Err(Refusal::Torn { .. })));
        assert_eq!(knows_durable(&bytes, &expected(), Position(8192), Sequence(40)), None);
    }

    #[test]
    fn every_flipped_bit_of_a_frame_that_means_something_is_noticed() {
        let bytes = frame(header());
        let meaningful = 128 + u32::from_le_bytes(bytes[68..72].try_into().unwrap()) as usize;
        for bit in 0..meaningful * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let checked = check_header(&damaged, &expected());
            let whole = checked.and_then(|header| check_body(&damaged, &header, &mut Vec::new()));
            assert!(whole.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn only_a_later_frame_that_knows_it_durable_says_that_a_frame_was_acknowledged() {
        let at = Position(16_384);
        let later = FrameHeader { position: at, sequence: Sequence(44), ..header() };
        let knows = |header, lost| knows_durable(&frame(header), &expected(), at, Sequence(lost));
        let durable = FrameHeader { durable_up_to: Sequence(42), ..later };
        assert_eq!(knows(durable, 42), Some(Sequence(42)));
        assert_eq!(knows(durable, 43), None);
        assert_eq!(knows(FrameHeader { incarnation: Incarnation(4), ..durable }, 42), None);
        assert_eq!(knows(FrameHeader { generation: Generation(8), ..durable }, 42), None);
        assert_eq!(knows(FrameHeader { position: Position(8192), ..durable }, 42), None);
        assert_eq!(knows(FrameHeader { log: LogId(78), ..durable }, 42), None);
    }
}
