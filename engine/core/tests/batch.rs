//! Native batches against an oracle of plain records, and against hostile bytes.

use thalweg_engine::limits::{BATCH_SIZE_MAX, RECORD_HEADERS_MAX, RECORD_SIZE_MAX};
use thalweg_engine::model::{
    BATCH_HEADER_SIZE, BatchBuilder, BatchError, BatchView, Header, Offset, ProducerEpoch, ProducerId,
    ProducerStamp, RECORD_FIXED_SIZE, Record, RecordSequence, Timestamp,
};
use thalweg_sim::Prng;

/// Draws what batches are made of.
struct Random(Prng);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn bytes(&mut self, bound: u64) -> Vec<u8> {
        (0..self.below(bound)).map(|_| self.0.next_u64() as u8).collect()
    }

    fn optional(&mut self, bound: u64) -> Option<Vec<u8>> {
        (self.below(4) > 0).then(|| self.bytes(bound))
    }

    fn timestamp(&mut self) -> Timestamp {
        Timestamp(match self.below(8) {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => self.0.next_u64() as i64,
            _ => 1_700_000_000_000 + self.below(1000) as i64,
        })
    }

    fn record(&mut self) -> Record {
        let headers = if self.below(3) == 0 { self.below(4) } else { 0 };
        Record {
            timestamp: self.timestamp(),
            key: self.optional(20),
            value: self.optional(60),
            headers: (0..headers)
                .map(|_| Header { name: "näme".repeat(self.below(3) as usize), value: self.optional(9) })
                .collect(),
        }
    }

    fn producer(&mut self) -> Option<ProducerStamp> {
        (self.below(2) == 0).then(|| ProducerStamp {
            id: ProducerId(self.below(u64::MAX)),
            epoch: ProducerEpoch(self.0.next_u64() as u16),
            sequence: RecordSequence(self.below(1 << 31) as u32),
        })
    }
}

fn small_batch() -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let header = Header { name: "h".to_owned(), value: Some(b"xyz".to_vec()) };
    let none = Header { name: String::new(), value: None };
    builder.push(Timestamp(10), Some(b"key"), Some(b"value"), &[]).unwrap();
    builder.push(Timestamp(12), None, Some(b""), &[header, none]).unwrap();
    builder.push(Timestamp(7), Some(b""), None, &[]).unwrap();
    builder.finish().to_vec()
}

#[test]
fn a_batch_reads_back_as_the_records_pushed() {
    let mut builder = BatchBuilder::new();
    for seed in 0..300 {
        let mut random = Random(Prng::new(seed));
        let oracle: Vec<Record> = (0..=random.below(40)).map(|_| random.record()).collect();
        let producer = random.producer();
        builder.clear();
        builder.set_producer(producer);
        for (index, record) in oracle.iter().enumerate() {
            assert_eq!(builder.count() as usize, index, "seed {seed}");
            if random.below(3) == 0 {
                push_in_parts(&mut builder, record, &mut random);
            } else {
                builder.push_record(record).unwrap();
            }
        }
        let size = builder.size();
        let bytes = builder.finish();
        assert_eq!(bytes.len(), size, "seed {seed}");
        let view = BatchView::parse(bytes).unwrap();
        assert_eq!(view.producer(), producer, "seed {seed}");
        assert_eq!(view.count() as usize, oracle.len(), "seed {seed}");
        assert_eq!(view.base_timestamp(), oracle[0].timestamp, "seed {seed}");
        assert_eq!(view.max_timestamp(), oracle.iter().map(|r| r.timestamp).max().unwrap(), "seed {seed}");
        let read: Vec<Record> = view.iter().map(|record| record.to_owned()).collect();
        assert_eq!(read, oracle, "seed {seed}");
        for (index, record) in oracle.iter().enumerate() {
            assert_eq!(Record::from(view.record(index as u32).unwrap()), *record, "seed {seed}");
        }
        assert!(view.record(view.count()).is_none(), "seed {seed}");
    }
}

fn push_in_parts(builder: &mut BatchBuilder, record: &Record, random: &mut Random) {
    let cut = |bytes: &Option<Vec<u8>>, random: &mut Random| {
        bytes.clone().map(|bytes| {
            let at = random.below(bytes.len() as u64 + 1) as usize;
            (bytes[..at].to_vec(), bytes[at..].to_vec())
        })
    };
    let (key, value) = (cut(&record.key, random), cut(&record.value, random));
    let key = key.as_ref().map(|(a, b)| [a.as_slice(), b.as_slice()]);
    let value = value.as_ref().map(|(a, b)| [a.as_slice(), b.as_slice()]);
    let (key, value) = (key.as_ref().map(|k| &k[..]), value.as_ref().map(|v| &v[..]));
    builder.push_parts(record.timestamp, key, value, &record.headers).unwrap();
}

#[test]
fn the_bytes_of_a_batch_are_pinned() {
    let mut builder = BatchBuilder::new();
    builder.set_producer(Some(ProducerStamp {
        id: ProducerId(0x0102_0304_0506_0708),
        epoch: ProducerEpoch(0x1112),
        sequence: RecordSequence(0x2122_2324),
    }));
    builder.push(Timestamp(0x100), Some(b"k"), None, &[]).unwrap();
    let header = Header { name: "n".to_owned(), value: Some(b"v".to_vec()) };
    builder.push(Timestamp(0xff), None, Some(b"ab"), &[header]).unwrap();
    #[rustfmt::skip]
    let golden: Vec<u8> = [
        b"TWB1".as_slice(), &[1, 0, 0, 0],                         // magic, version, flags
        &[123, 0, 0, 0, 2, 0, 0, 0],                               // size, count
        &[0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],         // base and largest timestamp
        &[8, 7, 6, 5, 4, 3, 2, 1, 0x12, 0x11, 0, 0],               // producer, epoch
        &[0x24, 0x23, 0x22, 0x21, 51, 0, 0, 0],                    // sequence, records size
        &[0; 12],
        &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],                     // record 0: key, no value
        &[0; 12], b"k",
        &[0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0],                     // record 1: no key, value
        &[0xff; 8], &[1, 0, 0, 0], b"ab",
        &[1, 0, 1, 0, 0, 0], b"nv",                                // its header
        &[64, 0, 0, 0, 85, 0, 0, 0],                               // offset table
    ]
    .concat();
    assert_eq!(builder.finish(), golden);
    assert_eq!(builder.into_bytes(), golden);
}

#[test]
fn no_mutation_of_a_batch_makes_a_reader_panic() {
    let bytes = small_batch();
    let mut refused = 0;
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut mutated = bytes.clone();
            mutated[at] = value;
            refused += usize::from(BatchView::parse(&mutated).is_err());
            read_everything(&mutated);
        }
    }
    assert!(refused > bytes.len() * 100, "{refused}");
}

#[test]
fn a_truncated_batch_is_refused() {
    let bytes = small_batch();
    for cut in 0..bytes.len() {
        assert!(BatchView::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        assert!(BatchView::parse_trusted(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(BatchView::parse(&longer).is_err());
}

#[test]
fn arbitrary_bytes_never_make_a_reader_panic() {
    let sound = small_batch();
    for seed in 0..20_000 {
        let mut random = Random(Prng::new(seed));
        let mut bytes = sound.clone();
        // Keep the header's shape, so that the records are reached.
        for _ in 0..=random.below(6) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.0.next_u64() as u8;
        }
        let size = BATCH_HEADER_SIZE as u64 + random.below(bytes.len() as u64);
        bytes.truncate(size as usize);
        let size = bytes.len() as u32;
        bytes[8..12].copy_from_slice(&size.to_le_bytes());
        read_everything(&bytes);
        read_everything(&random.bytes(200));
    }
}

fn read_everything(bytes: &[u8]) {
    for view in [BatchView::parse(bytes), BatchView::parse_trusted(bytes)].into_iter().flatten() {
        let read: Vec<Record> = view.iter().map(|record| record.to_owned()).collect();
        assert!(read.len() <= view.count() as usize);
        for index in 0..=view.count().min(1000) {
            drop(view.record(index).map(|record| record.to_owned()));
        }
    }
}

#[test]
fn a_parsed_batch_yields_every_record() {
    let bytes = small_batch();
    for at in BATCH_HEADER_SIZE..bytes.len() {
        for value in 0..=255 {
            let mut mutated = bytes.clone();
            mutated[at] = value;
            if let Ok(view) = BatchView::parse(&mutated) {
                assert_eq!(view.iter().count(), view.count() as usize);
                let owned: Vec<Record> = view.iter().map(|record| record.to_owned()).collect();
                for (index, record) in owned.iter().enumerate() {
                    assert_eq!(record.headers.len(), view.record(index as u32).unwrap().headers.len());
                }
            }
        }
    }
}

#[test]
fn limits_refuse_and_leave_the_builder_as_it_was() {
    let mut builder = BatchBuilder::new();
    builder.push(Timestamp(1), Some(b"k"), Some(b"v"), &[]).unwrap();
    let before = builder.size();
    let big = vec![0; RECORD_SIZE_MAX - RECORD_FIXED_SIZE + 1];
    let error = builder.push(Timestamp(2), None, Some(&big), &[]).unwrap_err();
    assert!(matches!(error, BatchError::RecordTooLarge { .. }));
    builder.push(Timestamp(2), None, Some(&big[1..]), &[]).unwrap();
    let error = builder.push(Timestamp(3), None, Some(&big[1..]), &[]).unwrap_err();
    assert!(matches!(error, BatchError::BatchTooLarge { limit: BATCH_SIZE_MAX, .. }));
    let headers = vec![Header::default(); RECORD_HEADERS_MAX + 1];
    let error = builder.push(Timestamp(3), None, None, &headers).unwrap_err();
    assert!(matches!(error, BatchError::TooManyHeaders { .. }));
    builder.push(Timestamp(3), None, None, &headers[1..]).unwrap();
    let long = Header { name: "x".repeat(65_536), value: None };
    let error = builder.push(Timestamp(3), None, None, &[long]).unwrap_err();
    assert!(matches!(error, BatchError::HeaderNameTooLong { .. }));
    assert_eq!(builder.count(), 3);
    assert!(builder.size() > before);
    let bytes = builder.finish();
    assert_eq!(BatchView::parse(bytes).unwrap().iter().count(), 3);
}

#[test]
fn a_batch_takes_no_more_records_than_the_limit() {
    use thalweg_engine::limits::BATCH_RECORDS_MAX;
    // Twenty-four bytes a record: the limit of bytes is reached first, so only a header can claim more.
    assert!(BATCH_RECORDS_MAX as usize * (RECORD_FIXED_SIZE + 4) > BATCH_SIZE_MAX);
    let mut bytes = small_batch();
    bytes[12..16].copy_from_slice(&(BATCH_RECORDS_MAX + 1).to_le_bytes());
    assert!(matches!(BatchView::parse(&bytes), Err(BatchError::TooManyRecords { .. })));
}

#[test]
fn a_version_to_come_is_named() {
    let mut bytes = small_batch();
    bytes[4] = 3;
    let error = BatchView::parse(&bytes).unwrap_err();
    assert_eq!(error, BatchError::NewerVersion { found: 3, known: 2 });
}

#[test]
fn records_that_compaction_left_keep_their_offsets() {
    let record =
        |value: &str| Record { value: Some(value.into()), key: Some(b"k".to_vec()), ..Record::default() };
    let mut dense = BatchBuilder::new();
    for value in ["a", "b", "c", "d"] {
        dense.push_record(&record(value)).unwrap();
    }
    let dense = dense.into_bytes();
    let all = BatchView::parse(&dense).unwrap();
    let mut builder = BatchBuilder::new();
    for (delta, record) in [(0, all.record(0)), (5, all.record(2)), (u32::MAX, all.record(3))] {
        builder.push_at(delta, &record.unwrap()).unwrap();
    }
    let size = builder.size();
    let bytes = builder.into_bytes();
    assert_eq!(bytes.len(), size);
    let view = BatchView::parse(&bytes).unwrap();
    assert!(view.is_sparse());
    let found: Vec<_> =
        view.numbered(Offset(10)).map(|(at, record)| (at.0, record.value.unwrap().to_vec())).collect();
    let end = 10 + u64::from(u32::MAX);
    assert_eq!(found, [(10, b"a".to_vec()), (15, b"c".to_vec()), (end, b"d".to_vec())]);
    assert_eq!(view.span().0, 1 + u64::from(u32::MAX));
    assert_eq!([0, 1, 5, 6].map(|delta| view.index_at(delta)), [0, 1, 1, 2]);
    assert_eq!([0, 1, 2].map(|index| view.delta(index)), [0, 5, u64::from(u32::MAX)]);
    let mut falling = bytes.clone();
    let table = falling.len() - 12;
    falling[table..table + 4].copy_from_slice(&5u32.to_le_bytes());
    assert!(matches!(BatchView::parse(&falling), Err(BatchError::Malformed { .. })));
    // Offsets without a gap need no table of their own.
    let mut whole = BatchBuilder::new();
    (0..4).for_each(|index| whole.push_at(index, &all.record(index).unwrap()).unwrap());
    assert_eq!(whole.into_bytes(), dense);
}
