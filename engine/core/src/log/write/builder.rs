//! The open frame: entries and payloads, gathered in the buffer that they are written from.

use crate::io::Buffer;
use crate::limits::{BLOCK_SIZE, PAYLOAD_ALIGN};
use crate::log::DraftEntry;
use crate::log::format::{
    CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_NONE, Entry, FRAME_HEADER_SIZE, FrameHeader,
    directory_size_for, encode_directory,
};

/// Sizes of buffers, and where payloads begin in them, in bytes. What precedes the payloads is room for the
/// directory; a frame that needs more of either moves on to the next class. Powers of two, because memory comes
/// in them.
const CLASSES: [Layout; 6] = [
    Layout { capacity: 8 << 10, payload_start: 512 },
    Layout { capacity: 64 << 10, payload_start: 2 << 10 },
    Layout { capacity: 256 << 10, payload_start: 8 << 10 },
    Layout { capacity: 1 << 20, payload_start: 16 << 10 },
    Layout { capacity: 2 << 20, payload_start: 16 << 10 },
    Layout { capacity: 4 << 20, payload_start: 16 << 10 },
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Layout {
    capacity: usize,
    payload_start: usize,
}

impl Layout {
    /// A layout for `entries` entries whose payloads take `payload_size` bytes.
    fn of(entries: usize, payload_size: usize) -> Self {
        let room = FRAME_HEADER_SIZE + directory_size_for(entries);
        let fits = |class: &&Self| {
            room <= class.payload_start && class.payload_start + payload_size <= class.capacity
        };
        if let Some(class) = CLASSES.iter().find(fits) {
            return *class;
        }
        // Half as much again, so that moving payloads for a growing directory stays cheap on the whole.
        let payload_start = (room + room / 2).next_multiple_of(PAYLOAD_ALIGN);
        let largest = CLASSES[CLASSES.len() - 1].capacity;
        let needed = (payload_start + payload_size).next_multiple_of(BLOCK_SIZE);
        let capacity = if needed <= largest { needed.next_power_of_two() } else { needed };
        Self { capacity, payload_start }
    }

    /// This layout, but not smaller than `old` in either respect: what is there moves in one direction only.
    fn covering(self, old: Self, payload_size: usize) -> Self {
        let payload_start = self.payload_start.max(old.payload_start);
        let needed = (payload_start + payload_size).next_multiple_of(BLOCK_SIZE);
        Self { capacity: self.capacity.max(old.capacity).max(needed), payload_start }
    }
}

/// A frame that takes nothing more: all of it but its header's place in the log.
pub(super) struct SealedFrame<B> {
    /// Exactly the frame; its header is still empty.
    pub(super) buffer: B,
    /// What its directory holds.
    pub(super) entries: Vec<Entry>,
    /// Bytes of memory behind `buffer`.
    pub(super) capacity: usize,
    directory_size: u32,
    directory_checksum: u32,
    payload_start: u32,
    payload_end: u32,
}

impl<B: Buffer> SealedFrame<B> {
    /// Bytes of the frame.
    pub(super) fn size(&self) -> usize {
        self.buffer.bytes().len()
    }

    /// Completes `header`, which says where the frame belongs, and writes it. Returns it with its checksum.
    pub(super) fn finish(&mut self, mut header: FrameHeader) -> FrameHeader {
        header.length = self.size() as u32;
        header.entry_count = self.entries.len() as u32;
        header.directory_size = self.directory_size;
        header.directory_checksum = self.directory_checksum;
        header.payload_start = self.payload_start;
        header.payload_end = self.payload_end;
        header.checksum = header.encode(self.buffer.bytes_mut());
        header
    }
}

/// Builds frames, one after the other.
pub(super) struct FrameBuilder<B> {
    buffer: Option<B>,
    layout: Layout,
    payload_end: usize,
    entries: Vec<Entry>,
    /// Entries and payload bytes of the frame before: the next one will be much like it.
    expected: (usize, usize),
    /// Memory for directories.
    scratch: Vec<u8>,
}

impl<B: Buffer> FrameBuilder<B> {
    pub(super) fn new() -> Self {
        let (layout, entries, scratch) = (CLASSES[0], Vec::new(), Vec::new());
        Self { buffer: None, layout, payload_end: layout.payload_start, entries, expected: (0, 0), scratch }
    }

    /// Whether nothing was pushed since the last frame.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries pushed since the last frame.
    pub(super) fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that the frame has now.
    pub(super) fn size(&self) -> usize {
        self.payload_end.next_multiple_of(BLOCK_SIZE)
    }

    /// The frame that comes will be small, whatever the one before it was: it takes no more room than it needs.
    pub(super) fn expect_little(&mut self) {
        debug_assert!(self.is_empty());
        self.expected = (0, 0);
    }

    /// Bytes that the frame has, at most, after `drafts` are pushed.
    pub(super) fn size_with(&self, drafts: &[DraftEntry<'_>]) -> usize {
        let (layout, payload_size) = self.layout_with(drafts);
        (layout.payload_start + payload_size).next_multiple_of(BLOCK_SIZE)
    }

    /// Bytes of a frame that holds `drafts` and nothing else.
    pub(super) fn size_alone(drafts: &[DraftEntry<'_>]) -> usize {
        let sizes = drafts.iter().filter(|draft| !draft.payload.is_empty()).map(|draft| draft.payload.len());
        let payload_size = sizes.fold(0usize, |sum, size| sum.next_multiple_of(PAYLOAD_ALIGN) + size);
        let layout = Layout::of(drafts.len(), payload_size);
        (layout.payload_start + payload_size).next_multiple_of(BLOCK_SIZE)
    }

    /// Adds `drafts`. `allocate` gives memory of a size in bytes, with any content.
    pub(super) fn push(&mut self, drafts: &[DraftEntry<'_>], allocate: impl FnOnce(usize) -> B) {
        let (layout, _) = self.layout_with(drafts);
        self.make_room(layout, allocate);
        let bytes = self.buffer.as_mut().expect("room was made").bytes_mut();
        for draft in drafts {
            let mut entry = draft.entry;
            entry.length = u32::try_from(draft.payload.len()).expect("the size of a frame was checked");
            if draft.payload.is_empty() {
                (entry.position, entry.checksum_kind, entry.checksum_from, entry.checksum) =
                    (0, CHECKSUM_NONE, 0, 0);
                self.entries.push(entry);
                continue;
            }
            let position = self.payload_end.next_multiple_of(PAYLOAD_ALIGN);
            bytes[self.payload_end..position].fill(0);
            self.payload_end = position + draft.payload.len();
            bytes[position..self.payload_end].copy_from_slice(draft.payload);
            entry.position = position as u32;
            if entry.checksum_kind != CHECKSUM_CRC32C {
                entry.checksum_kind = CHECKSUM_CRC32;
                entry.checksum_from = 0;
                entry.checksum = crc32fast::hash(draft.payload);
            }
            self.entries.push(entry);
        }
    }

    /// Closes the frame and begins the next one. `entries`: memory for the next one's entries.
    pub(super) fn seal(
        &mut self,
        mut entries: Vec<Entry>,
        allocate: impl FnOnce(usize) -> B,
    ) -> SealedFrame<B> {
        let capacity = self.layout.capacity;
        let mut buffer = self.buffer.take().unwrap_or_else(|| allocate(capacity));
        self.scratch.clear();
        encode_directory(&self.entries, &mut self.scratch);
        let directory = &self.scratch;
        let payload_start = self.layout.payload_start;
        assert!(
            FRAME_HEADER_SIZE + directory.len() <= payload_start,
            "the room kept for a directory is enough"
        );
        let directory_end = FRAME_HEADER_SIZE + directory.len();
        let bytes = buffer.bytes_mut();
        bytes[FRAME_HEADER_SIZE..directory_end].copy_from_slice(directory);
        bytes[directory_end..payload_start].fill(0);
        bytes[self.payload_end..self.size()].fill(0);
        buffer.truncate(self.size());
        entries.clear();
        let (payload_end, entry_count) = (self.payload_end, self.entries.len());
        let sealed = SealedFrame {
            buffer,
            entries: std::mem::replace(&mut self.entries, entries),
            capacity,
            directory_size: directory.len() as u32,
            directory_checksum: crc32fast::hash(directory),
            payload_start: payload_start as u32,
            payload_end: payload_end as u32,
        };
        self.expected = (entry_count, payload_end - payload_start);
        self.layout = CLASSES[0];
        self.payload_end = self.layout.payload_start;
        sealed
    }

    /// The layout for the frame with `drafts`, and the bytes that all payloads then take.
    fn layout_with(&self, drafts: &[DraftEntry<'_>]) -> (Layout, usize) {
        let mut payload_size = self.payload_end - self.layout.payload_start;
        for draft in drafts {
            if !draft.payload.is_empty() {
                payload_size = payload_size.next_multiple_of(PAYLOAD_ALIGN) + draft.payload.len();
            }
        }
        let entries = self.entries.len() + drafts.len();
        let room = FRAME_HEADER_SIZE + directory_size_for(entries);
        let fits = room <= self.layout.payload_start
            && self.layout.payload_start + payload_size <= self.layout.capacity;
        if fits && self.buffer.is_some() {
            return (self.layout, payload_size);
        }
        if !self.entries.is_empty() {
            return (Layout::of(entries, payload_size).covering(self.layout, payload_size), payload_size);
        }
        let expected = Layout::of(entries.max(self.expected.0), payload_size.max(self.expected.1));
        (expected, payload_size)
    }

    /// Moves what is there to where `layout` wants it.
    fn make_room(&mut self, layout: Layout, allocate: impl FnOnce(usize) -> B) {
        let Some(mut buffer) = self.buffer.take() else {
            self.buffer = Some(allocate(layout.capacity));
            self.payload_end = layout.payload_start;
            self.layout = layout;
            return;
        };
        let (old, end) = (self.layout, self.payload_end);
        if layout == old {
            self.buffer = Some(buffer);
            return;
        }
        debug_assert!(layout.payload_start >= old.payload_start, "the room for the directory only grows");
        if layout.capacity == old.capacity {
            buffer.bytes_mut().copy_within(old.payload_start..end, layout.payload_start);
        } else {
            let mut larger = allocate(layout.capacity);
            larger.bytes_mut()[layout.payload_start..][..end - old.payload_start]
                .copy_from_slice(&buffer.bytes()[old.payload_start..end]);
            buffer = larger;
        }
        let moved = layout.payload_start - old.payload_start;
        for entry in self.entries.iter_mut().filter(|entry| entry.length > 0) {
            entry.position += moved as u32;
        }
        self.payload_end = end + moved;
        self.layout = layout;
        self.buffer = Some(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::{FrameHeader, read_directory, verify_payload};
    use crate::model::{Generation, Incarnation, LogId, Position, SegmentId, Sequence};

    struct Memory(Vec<u8>);

    impl Buffer for Memory {
        fn bytes(&self) -> &[u8] {
            &self.0
        }
        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
        fn truncate(&mut self, size: usize) {
            assert!(size <= self.0.len());
            self.0.truncate(size);
        }
    }

    fn memory(size: usize) -> Memory {
        Memory(vec![0xD1; size])
    }

    /// Every byte of the frame that is neither header nor directory nor payload is zero.
    fn assert_clean(sealed: &SealedFrame<Memory>) {
        let bytes = sealed.buffer.bytes();
        let mut end = FRAME_HEADER_SIZE + sealed.directory_size as usize;
        for entry in sealed.entries.iter().filter(|entry| entry.length > 0) {
            assert!(bytes[end..entry.position as usize].iter().all(|byte| *byte == 0));
            end = (entry.position + entry.length) as usize;
        }
        assert!(bytes[end..].iter().all(|byte| *byte == 0));
    }

    fn draft(subject: u64, payload: &[u8]) -> DraftEntry<'_> {
        DraftEntry { entry: Entry { kind: 1, subject, ..Entry::default() }, payload }
    }

    fn header() -> FrameHeader {
        FrameHeader {
            log: LogId(9),
            segment: SegmentId(1),
            generation: Generation(2),
            position: Position(4096),
            sequence: Sequence(1),
            incarnation: Incarnation(1),
            ..FrameHeader::default()
        }
    }

    /// What a reader finds in the frame: subjects and payloads.
    fn read(sealed: &mut SealedFrame<Memory>) -> Vec<(u64, Vec<u8>)> {
        let written = sealed.finish(header());
        assert_clean(sealed);
        let bytes = sealed.buffer.bytes();
        let decoded = FrameHeader::decode(bytes, LogId(9)).unwrap();
        assert_eq!(decoded, written);
        assert_eq!(decoded.length as usize, bytes.len());
        let directory = read_directory(bytes, &decoded).unwrap();
        assert!(directory.iter().eq(sealed.entries.iter().copied()));
        directory.iter().map(|e| (e.subject, verify_payload(&e, bytes).unwrap().to_vec())).collect()
    }

    #[test]
    fn every_payload_is_read_back_whatever_the_sizes_and_their_order() {
        let mut builder = FrameBuilder::new();
        // A fixed walk through sizes; the step is coprime to the range, so all residues come up.
        let mut state = 1u64;
        for round in 0..60usize {
            let mut expected = Vec::new();
            let appends = 1 + round * 7 % 90;
            for _ in 0..appends {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let limit = [1, 40, 600, 9_000, 70_000][round % 5];
                let size = (state >> 33) as usize % limit;
                let payload: Vec<u8> = (0..size).map(|i| (i as u64 ^ state) as u8).collect();
                let drafts = [draft(state, &payload), draft(!state, &payload[..size / 2])];
                let drafts = &drafts[..1 + (state >> 62) as usize % 2];
                let (before, promised) = (builder.size(), builder.size_with(drafts));
                builder.push(drafts, memory);
                assert!(builder.size() <= promised);
                assert!(builder.entry_count() == drafts.len() || builder.size() >= before);
                expected.extend(drafts.iter().map(|d| (d.entry.subject, d.payload.to_vec())));
            }
            let size = builder.size();
            let mut sealed = builder.seal(Vec::new(), memory);
            assert_eq!(sealed.size(), size);
            assert_eq!(read(&mut sealed), expected, "round {round}");
            assert!(builder.is_empty());
        }
    }

    #[test]
    fn an_idle_append_of_a_block_is_a_frame_of_two_blocks() {
        let mut builder = FrameBuilder::new();
        builder.push(&[draft(1, &[7; 4096])], memory);
        let mut sealed = builder.seal(Vec::new(), memory);
        assert_eq!(sealed.size(), 8192);
        assert_eq!(sealed.capacity, 8192);
        assert_eq!(read(&mut sealed), [(1, vec![7; 4096])]);
    }

    #[test]
    fn a_frame_without_entries_is_one_block() {
        let mut sealed = FrameBuilder::new().seal(Vec::new(), memory);
        assert_eq!(sealed.size(), BLOCK_SIZE);
        assert_eq!(read(&mut sealed), []);
    }

    #[test]
    fn many_small_batches_do_not_take_the_largest_buffer() {
        let mut builder = FrameBuilder::new();
        for n in 0..300 {
            builder.push(&[draft(n, &[1; 100])], memory);
        }
        let mut sealed = builder.seal(Vec::new(), memory);
        assert!(sealed.capacity <= 1 << 20, "{} bytes", sealed.capacity);
        assert_eq!(read(&mut sealed).len(), 300);
    }

    #[test]
    fn a_busy_frame_is_built_where_it_is_written_from() {
        let mut builder = FrameBuilder::new();
        for round in 0..2 {
            let mut allocated = 0;
            for n in 0..100 {
                builder.push(&[draft(n, &[1; 10_000])], |size| {
                    allocated += 1;
                    memory(size)
                });
            }
            // The second frame begins with the memory that the first one needed in the end.
            assert_eq!(allocated, if round == 0 { 3 } else { 1 });
            assert_eq!(read(&mut builder.seal(Vec::new(), memory)).len(), 100);
        }
    }

    #[test]
    fn a_foreign_checksum_is_taken_as_given_and_others_are_computed() {
        let mut builder = FrameBuilder::new();
        let foreign = Entry {
            checksum_kind: CHECKSUM_CRC32C,
            checksum_from: 2,
            checksum: crc32c::crc32c(b"cd"),
            ..Entry::default()
        };
        let given = Entry { checksum_kind: CHECKSUM_CRC32, checksum: 5, ..Entry::default() };
        let drafts = [
            DraftEntry { entry: foreign, payload: b"abcd" },
            DraftEntry { entry: given, payload: b"abcd" },
            DraftEntry { entry: given, payload: b"" },
        ];
        builder.push(&drafts, memory);
        let sealed = builder.seal(Vec::new(), memory);
        assert_eq!(sealed.entries[0].checksum, crc32c::crc32c(b"cd"));
        assert_eq!(sealed.entries[1].checksum, crc32fast::hash(b"abcd"));
        assert_eq!(sealed.entries[2], Entry::default());
    }
}
