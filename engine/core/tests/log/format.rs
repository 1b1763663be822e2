//! The bytes of FORMAT.md, one structure after the other.

use thalweg_archive::{Kind, encode};
use thalweg_engine::log::format::{
    CheckpointHeader, CheckpointName, Entry, FooterTrailer, FooterV1, FrameHeader, LogOwner, RegroupV1,
    ReplayStart, RootV2, RowTableV1, SegmentHeader, SegmentRowV2, SegmentTableV2, SliceHeader, SliceOwner,
    StorePartV1, StoreRestV1, StoreSourceV1, StreamRowV2, StreamTableV2, Superblock, encode_directory,
    read_directory, read_regroup, regroup_size_max,
};
use thalweg_engine::model::{
    FolderId, Generation, Incarnation, LogId, Position, SegmentId, Sequence, ShardId,
};

const LOG: LogId = LogId(0x1122_3344_5566_7788);
const GENERATION: Generation = Generation(0x0000_0005_0000_0002);

/// Fields one behind the other.
struct Bytes(Vec<u8>);

impl Bytes {
    fn new(magic: &[u8]) -> Self {
        Self(magic.to_vec())
    }
    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }
    fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn i32(self, value: i32) -> Self {
        self.u32(value as u32)
    }
    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    /// Zeros up to the checksum of a header of `size` bytes, and the checksum.
    fn sealed(mut self, size: usize) -> Vec<u8> {
        self.0.resize(size - 4, 0);
        let seeded: Vec<u8> = LOG.0.to_le_bytes().into_iter().chain(self.0.iter().copied()).collect();
        self.u32(crc32fast::hash(&seeded)).0
    }
    /// Behind an envelope.
    fn archive<T: Kind>(self) -> Vec<u8> {
        [Self::new(&[]).u16(T::TYPE).u16(T::VERSION).u32(self.0.len() as u32).0, self.0].concat()
    }
    fn entry(self, e: &Entry) -> Self {
        let head = self.u16(e.kind).u8(e.encoding).u8(e.checksum_kind).u16(e.epoch).u16(e.checksum_from);
        let middle = head.u64(e.subject).u64(e.base).u32(e.count).u32(e.position).u32(e.length);
        middle.u32(e.checksum).u64(e.owner).u32(e.sequence).u64(e.timestamp_max as u64)
    }
}

fn entry(kind: u16, position: u32) -> Entry {
    Entry {
        kind,
        encoding: 1,
        checksum_kind: 2,
        epoch: 0x0304,
        checksum_from: 12,
        subject: 0x0506,
        base: 0x0708,
        count: 9,
        position,
        length: 100,
        checksum: 0x0a0b_0c0d,
        owner: u64::MAX,
        sequence: 0x0e0f,
        timestamp_max: -2,
    }
}

#[test]
fn the_bytes_of_a_superblock_are_pinned() {
    let superblock = Superblock {
        log: LOG,
        counter: 7,
        incarnation: Incarnation(5),
        durable_up_to: Sequence(1000),
        segment_size: 64 << 20,
        checkpoint: Some(CheckpointName { file: 1, size: 123_456, checksum: 0xdead_beef }),
        replay: ReplayStart {
            sequence: Sequence(900),
            previous_checksum: 0xcafe_f00d,
            segment: SegmentId(3),
            generation: GENERATION,
            position: Position(8192),
        },
        owner: Some(LogOwner { folder: FolderId(0x0102_0304_0506_0708), shard: ShardId(9) }),
    };
    let golden = Bytes::new(b"THALWEGB").u16(1).u16(128).u32(5).u64(LOG.0).u64(7).u64(1000).u32(64 << 20);
    let golden = golden.u32(1).u64(123_456).u32(0xdead_beef).u32(0xcafe_f00d).u64(900).u64(GENERATION.0);
    let golden = golden.u32(3).u32(8192).u64(0x0102_0304_0506_0708).u16(9).sealed(128);
    let mut bytes = [0xff; 128];
    superblock.encode(&mut bytes);
    assert_eq!(bytes[..], golden);
    assert_eq!(Superblock::decode(&bytes), Ok(superblock));
    assert_eq!(superblock.position(), 4096);
    let without = Superblock { checkpoint: None, owner: None, ..superblock };
    without.encode(&mut bytes);
    assert_eq!(bytes[44..48], [0xff; 4]);
    assert_eq!(bytes[88..98], [0; 10]);
    assert_eq!(Superblock::decode(&bytes), Ok(without));
}

#[test]
fn the_bytes_of_a_segment_header_are_pinned() {
    let header = SegmentHeader {
        log: LOG,
        segment: SegmentId(3),
        generation: GENERATION,
        incarnation: Incarnation(5),
        size: 64 << 20,
        written: true,
    };
    let golden = Bytes::new(b"THALWEGS").u16(1).u16(64).u32(3).u64(LOG.0).u64(GENERATION.0).u32(5);
    let golden = golden.u32(64 << 20).u32(1).sealed(64);
    let mut bytes = [0xff; 64];
    header.encode(&mut bytes);
    assert_eq!(bytes[..], golden);
    assert_eq!(SegmentHeader::decode(&bytes, LOG), Ok(header));
}

#[test]
fn the_bytes_of_a_frame_header_are_pinned() {
    let header = FrameHeader {
        log: LOG,
        segment: SegmentId(3),
        generation: GENERATION,
        position: Position(8192),
        length: 8192,
        sequence: Sequence(900),
        durable_up_to: Sequence(898),
        incarnation: Incarnation(5),
        previous_checksum: 0xcafe_f00d,
        entry_count: 2,
        directory_size: 136,
        directory_checksum: 0x0102_0304,
        payload_start: 512,
        payload_end: 5000,
        flags: 0,
        checksum: 0,
    };
    let golden =
        Bytes::new(b"THALWEGF").u16(1).u16(128).u32(3).u64(LOG.0).u64(GENERATION.0).u32(8192).u32(8192);
    let golden = golden.u64(900).u64(898).u32(5).u32(0xcafe_f00d).u32(2).u32(136).u32(0x0102_0304).u32(512);
    let golden = golden.u32(5000).u32(0).sealed(128);
    let mut bytes = [0xff; 128];
    let checksum = header.encode(&mut bytes);
    assert_eq!(bytes[..], golden);
    assert_eq!(checksum.to_le_bytes(), golden[124..]);
    assert_eq!(FrameHeader::decode(&bytes, LOG), Ok(FrameHeader { checksum, ..header }));
}

#[test]
fn the_bytes_of_a_directory_are_pinned() {
    let entries = [entry(1, 512), entry(2, 1024)];
    let mut bytes = Vec::new();
    encode_directory(&entries, &mut bytes);
    let golden = Bytes::new(&[]).entry(&entries[0]).entry(&entries[1]).i32(-120).u32(2);
    assert_eq!(bytes, golden.archive::<thalweg_engine::log::format::DirectoryV1>());
    let header = FrameHeader {
        entry_count: 2,
        directory_size: bytes.len() as u32,
        directory_checksum: crc32fast::hash(&bytes),
        payload_start: 512,
        payload_end: 2000,
        ..FrameHeader::default()
    };
    let frame = [vec![0; 128], bytes].concat();
    let read: Vec<Entry> = read_directory(&frame, &header).unwrap().iter().collect();
    assert_eq!(read, entries);
}

#[test]
fn the_bytes_of_a_footer_are_pinned() {
    let rows = vec![entry(1, 4608), entry(2, 9728)];
    let golden = Bytes::new(&[]).entry(&rows[0]).entry(&rows[1]).i32(-120).u32(2);
    assert_eq!(encode(&FooterV1 { rows }), golden.archive::<FooterV1>());
    let trailer = FooterTrailer {
        log: LOG,
        segment: SegmentId(3),
        generation: GENERATION,
        incarnation: Incarnation(5),
        first: Sequence(800),
        last: Sequence(900),
        frames_end: Position(16_384),
        archive_position: Position(20_480),
        archive_size: 136,
        archive_checksum: 0x0102_0304,
    };
    let golden =
        Bytes::new(b"THALWEGI").u16(1).u16(96).u32(3).u64(LOG.0).u64(GENERATION.0).u32(5).u32(16_384);
    let golden = golden.u64(800).u64(900).u32(20_480).u32(136).u32(0x0102_0304).sealed(96);
    let mut bytes = [0xff; 96];
    trailer.encode(&mut bytes);
    assert_eq!(bytes[..], golden);
    assert_eq!(FooterTrailer::decode(&bytes, LOG), Ok(trailer));
}

#[test]
fn the_bytes_of_a_checkpoint_are_pinned() {
    let header = CheckpointHeader { log: LOG, counter: 8, sequence: Sequence(900) };
    let golden = Bytes::new(b"THALWEGC").u16(1).u16(64).u32(0).u64(LOG.0).u64(8).u64(900).sealed(64);
    assert_eq!(header.bytes()[..], golden);
    assert_eq!(CheckpointHeader::decode(&golden, LOG), Ok(header));
    let slice = SliceHeader::of(b"123456789", SliceOwner::State);
    let covered = [&9u32.to_le_bytes()[..], &1u32.to_le_bytes(), b"123456789"].concat();
    let golden = Bytes::new(&[]).u32(9).u32(crc32fast::hash(&covered)).u32(1).u32(0).0;
    assert_eq!(slice.bytes()[..], golden);
    assert_eq!(SliceHeader::decode(&slice.bytes()), Some(slice));
    assert_eq!(slice.padded_size(), 16);
    assert!(slice.is_of(b"123456789"));
    assert!(!SliceHeader { owner: SliceOwner::Log, ..slice }.is_of(b"123456789"));
}

#[test]
fn the_bytes_of_the_tables_of_a_checkpoint_are_pinned() {
    let segment = SegmentRowV2 {
        segment: 3,
        generation: GENERATION.0,
        first: 800,
        last: 900,
        end: 8192,
        sealed: true,
        footer: false,
        store: true,
        runs: 7,
    };
    let golden = Bytes::new(&[]).u32(3).u64(GENERATION.0).u64(800).u64(900).u32(8192).u8(1).u8(0);
    let golden = golden.u8(1).u32(7).i32(-39).u32(1);
    assert_eq!(encode(&SegmentTableV2 { segments: vec![segment] }), golden.archive::<SegmentTableV2>());

    let root = RootV2 { segment: 3, base: 10, end: 20, bytes: 4000, timestamp_max: -5 };
    let stream = StreamRowV2 { stream: 6, start: 12, end: 20, roots: vec![root] };
    // The root; the stream, whose vector points 36 + 24 back; the table, which points 32 back.
    let golden = Bytes::new(&[]).u32(3).u64(10).u64(20).u64(4000).u64(-5i64 as u64);
    let golden = golden.u64(6).u64(12).u64(20).i32(-60).u32(1);
    let golden = golden.i32(-32).u32(1);
    assert_eq!(encode(&StreamTableV2 { streams: vec![stream] }), golden.archive::<StreamTableV2>());

    let rows = vec![entry(1, 4608)];
    let golden = Bytes::new(&[]).entry(&rows[0]).u32(3).i32(-64).u32(1);
    assert_eq!(encode(&RowTableV1 { segment: 3, rows }), golden.archive::<RowTableV1>());
}

#[test]
fn the_bytes_of_what_was_regrouped_are_pinned() {
    let regroup = RegroupV1 {
        segment: 9,
        generation: GENERATION.0,
        frames: 12,
        end: 65_536,
        sources: vec![
            StoreSourceV1 { segment: 3, generation: GENERATION.0 },
            StoreSourceV1 { segment: 4, generation: 77 },
        ],
        parts: vec![StorePartV1 { stream: 6, base: 10, end: 20, bytes: 4000, timestamp_max: -5 }],
        rests: vec![StoreRestV1 { stream: 6, segment: 4, base: 20, bytes: 100, timestamp_max: -6 }],
    };
    let golden = Bytes::new(&[]).u32(3).u64(GENERATION.0).u32(4).u64(77).u64(6).u64(10).u64(20).u64(4000);
    let golden = golden.u64(-5i64 as u64).u64(6).u32(4).u64(20).u64(100).u64(-6i64 as u64);
    // What is behind the first elements: 24 of sources, 40 of parts, 36 of rests, 24 of fields, 8 for each vector.
    let golden = golden.u32(9).u64(GENERATION.0).u64(12).u32(65_536);
    let golden = golden.i32(-124).u32(2).i32(-108).u32(1).i32(-76).u32(1);
    let bytes = encode(&regroup);
    assert_eq!(bytes, golden.archive::<RegroupV1>());
    assert_eq!(read_regroup(&bytes), Ok(regroup));
    assert!(bytes.len() <= regroup_size_max(2, 1, 1));
    for cut in 0..bytes.len() {
        assert!(read_regroup(&bytes[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn no_flipped_bit_of_a_header_goes_unnoticed() {
    let mut superblock = [0; 128];
    Superblock { log: LOG, counter: 7, ..Superblock::default() }.encode(&mut superblock);
    for bit in 0..128 * 8 {
        let mut damaged = superblock;
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Superblock::decode(&damaged).is_err(), "bit {bit}");
    }
}
