//! Reading native batches in place.

use super::batch::{
    BATCH_HEADER_SIZE, HEADER_FIXED_SIZE, MAGIC, NO_PRODUCER, NULL, OFFSET_SIZE, RECORD_FIXED_SIZE, VERSION,
    VERSION_SPARSE,
};
use super::{
    BatchError, Header, Offset, ProducerEpoch, ProducerId, ProducerStamp, Record, RecordCount,
    RecordSequence, Timestamp,
};
use crate::limits::{BATCH_RECORDS_MAX, BATCH_SIZE_MAX, RECORD_HEADERS_MAX, RECORD_SIZE_MAX};

/// A native batch, read in place.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    bytes: &'a [u8],
    /// Bytes of the records alone.
    records: &'a [u8],
    /// The offset table: [`OFFSET_SIZE`] bytes per record.
    table: &'a [u8],
    /// Offset of each record behind the batch's base, in [`OFFSET_SIZE`] bytes; empty if they are consecutive.
    deltas: &'a [u8],
    count: u32,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
    producer: Option<ProducerStamp>,
}

impl<'a> BatchView<'a> {
    /// Checks all of `bytes`, which is one whole batch and nothing else: sizes, limits, the offset table, and
    /// that every record lies where it must.
    ///
    /// # Errors
    /// [`BatchError`]: the first contradiction found.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let view = Self::parse_trusted(bytes)?;
        let mut position = BATCH_HEADER_SIZE;
        let mut rest = view.records;
        let mut max = Timestamp(i64::MIN);
        for entry in view.table.chunks_exact(OFFSET_SIZE) {
            if entry != (position as u32).to_le_bytes() {
                return Err(BatchError::Malformed { what: "the offset table does not fit the records" });
            }
            let (record, behind) = split_record(rest, view.base_timestamp)
                .ok_or(BatchError::Malformed { what: "a record reaches beyond the records" })?;
            let size = rest.len() - behind.len();
            check_record(&record, size)?;
            max = max.max(record.timestamp);
            position += size;
            rest = behind;
        }
        if !view.deltas().is_sorted_by(|before, after| before < after) {
            return Err(BatchError::Malformed { what: "offsets that do not rise" });
        }
        if !rest.is_empty() {
            return Err(BatchError::Malformed { what: "bytes behind the last record" });
        }
        if max != view.max_timestamp {
            return Err(BatchError::Malformed { what: "the largest timestamp is not that of a record" });
        }
        Ok(view)
    }

    /// Checks the header of `bytes` only, for a batch that was parsed before and has kept its checksum.
    ///
    /// Reading a batch that is malformed behind its header ends early, and never panics.
    ///
    /// # Errors
    /// [`BatchError`], for a header that does not fit `bytes`.
    pub fn parse_trusted(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = bytes.first_chunk::<BATCH_HEADER_SIZE>().ok_or(BatchError::NotABatch)?;
        if u32_at(header, 0) != MAGIC {
            return Err(BatchError::NotABatch);
        }
        let version = u16_at(header, 4);
        if version > VERSION_SPARSE {
            return Err(BatchError::NewerVersion { found: version, known: VERSION_SPARSE });
        }
        if version < VERSION || u16_at(header, 6) != 0 {
            return Err(BatchError::Malformed { what: "version or flags" });
        }
        if bytes.len() > BATCH_SIZE_MAX {
            return Err(BatchError::BatchTooLarge { size: bytes.len(), limit: BATCH_SIZE_MAX });
        }
        if u32_at(header, 8) as usize != bytes.len() {
            return Err(BatchError::Malformed { what: "the size is not that of the bytes" });
        }
        let count = u32_at(header, 12);
        if count == 0 {
            return Err(BatchError::Malformed { what: "no record" });
        }
        if count > BATCH_RECORDS_MAX {
            return Err(BatchError::TooManyRecords { count, limit: BATCH_RECORDS_MAX });
        }
        let tables = if version == VERSION_SPARSE { 2 } else { 1 };
        let (records, tables) = bytes[BATCH_HEADER_SIZE..]
            .split_at_checked(u32_at(header, 48) as usize)
            .filter(|(_, all)| all.len() == tables * count as usize * OFFSET_SIZE)
            .ok_or(BatchError::Malformed { what: "records and offset table do not fill the batch" })?;
        let (table, deltas) = tables.split_at(count as usize * OFFSET_SIZE);
        let base_timestamp = Timestamp(i64_at(header, 16));
        let max_timestamp = Timestamp(i64_at(header, 24));
        let producer = producer_of(header);
        Ok(Self { bytes, records, table, deltas, count, base_timestamp, max_timestamp, producer })
    }

    /// The whole batch.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of records; never zero.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Who produced the batch, if it said so.
    #[must_use]
    pub fn producer(&self) -> Option<ProducerStamp> {
        self.producer
    }

    /// Timestamp of the first record.
    #[must_use]
    pub fn base_timestamp(&self) -> Timestamp {
        self.base_timestamp
    }

    /// Largest timestamp of all records.
    #[must_use]
    pub fn max_timestamp(&self) -> Timestamp {
        self.max_timestamp
    }

    /// The record at `index`, counted from 0.
    #[must_use]
    pub fn record(&self, index: u32) -> Option<RecordRef<'a>> {
        let (entries, _) = self.table.as_chunks::<OFFSET_SIZE>();
        let position = u32::from_le_bytes(*entries.get(index as usize)?) as usize;
        let rest = self.records.get(position.checked_sub(BATCH_HEADER_SIZE)?..)?;
        Some(split_record(rest, self.base_timestamp)?.0)
    }

    /// Whether the offsets of the records are not consecutive: compaction has left them.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        !self.deltas.is_empty()
    }

    /// From the offset of the batch to the one behind its last record.
    #[must_use]
    pub fn span(&self) -> RecordCount {
        let last = self.count - 1;
        RecordCount(self.delta(last) + 1)
    }

    /// Where the record at `index` lies behind the offset of the batch.
    #[must_use]
    #[inline]
    pub fn delta(&self, index: u32) -> u64 {
        if self.deltas.is_empty() {
            return u64::from(index);
        }
        let (deltas, _) = self.deltas.as_chunks::<OFFSET_SIZE>();
        deltas.get(index as usize).map_or(u64::from(u32::MAX), |delta| u64::from(u32::from_le_bytes(*delta)))
    }

    /// The first record that lies `delta` offsets or more behind that of the batch; the number of records if none does.
    #[must_use]
    #[inline]
    pub fn index_at(&self, delta: u64) -> u32 {
        if self.deltas.is_empty() {
            return delta.min(u64::from(self.count)) as u32;
        }
        let (deltas, _) = self.deltas.as_chunks::<OFFSET_SIZE>();
        deltas.partition_point(|entry| u64::from(u32::from_le_bytes(*entry)) < delta) as u32
    }

    fn deltas(&self) -> impl Iterator<Item = u32> + use<'a> {
        let (deltas, _) = self.deltas.as_chunks::<OFFSET_SIZE>();
        deltas.iter().map(|delta| u32::from_le_bytes(*delta))
    }

    /// All records with their offsets, in order, if that of the batch is `base`.
    pub fn numbered(&self, base: Offset) -> impl Iterator<Item = (Offset, RecordRef<'a>)> + use<'a> {
        let dense = if self.is_sparse() { 0 } else { self.count };
        let deltas = (0..dense).chain(self.deltas());
        deltas
            .zip(self.iter())
            .map(move |(delta, record)| (Offset(base.0.saturating_add(u64::from(delta))), record))
    }

    /// All records, in order.
    #[must_use]
    pub fn iter(&self) -> Records<'a> {
        Records { rest: self.records, remaining: self.count, base_timestamp: self.base_timestamp }
    }
}

impl<'a> IntoIterator for BatchView<'a> {
    type Item = RecordRef<'a>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}

/// Iterator over the records of a batch.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    remaining: u32,
    base_timestamp: Timestamp,
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<RecordRef<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let (record, rest) = split_record(self.rest, self.base_timestamp)?;
        self.rest = rest;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The batch may be malformed and end early.
        (0, Some(self.remaining as usize))
    }
}

/// A record, read in place.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// When it happened, by its producer's clock.
    pub timestamp: Timestamp,
    /// Key, or none at all.
    pub key: Option<&'a [u8]>,
    /// Value, or none at all.
    pub value: Option<&'a [u8]>,
    /// Headers, in their order.
    pub headers: HeadersRef<'a>,
}

impl RecordRef<'_> {
    /// A copy that owns its bytes.
    #[must_use]
    pub fn to_owned(&self) -> Record {
        Record {
            timestamp: self.timestamp,
            key: self.key.map(<[u8]>::to_vec),
            value: self.value.map(<[u8]>::to_vec),
            headers: self.headers.iter().map(|header| header.to_owned()).collect(),
        }
    }
}

/// The headers of a record, read in place.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadersRef<'a> {
    bytes: &'a [u8],
    count: u16,
}

impl<'a> HeadersRef<'a> {
    /// Number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there is no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All headers as they lie in a batch, and their number.
    pub(super) fn encoded(&self) -> (&'a [u8], u16) {
        (self.bytes, self.count)
    }

    /// The headers, in order; ends early where a header is malformed.
    pub fn iter(&self) -> impl Iterator<Item = HeaderRef<'a>> + use<'a> {
        let mut rest = self.bytes;
        (0..self.count).map_while(move |_| {
            let (header, behind) = split_header(rest)?;
            rest = behind;
            Some(HeaderRef { name: std::str::from_utf8(header.name).ok()?, value: header.value })
        })
    }
}

/// A header of a record, read in place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeaderRef<'a> {
    /// Name.
    pub name: &'a str,
    /// Value, or none at all.
    pub value: Option<&'a [u8]>,
}

impl HeaderRef<'_> {
    /// A copy that owns its bytes.
    #[must_use]
    pub fn to_owned(&self) -> Header {
        Header { name: self.name.to_owned(), value: self.value.map(<[u8]>::to_vec) }
    }
}

/// Takes the first record off `bytes`. `None` if it is cut off.
#[inline(always)]
fn split_record(bytes: &[u8], base: Timestamp) -> Option<(RecordRef<'_>, &[u8])> {
    let (fixed, rest) = bytes.split_first_chunk::<RECORD_FIXED_SIZE>()?;
    let (key, rest) = split_nullable(rest, u32_at(fixed, 0))?;
    let (value, rest) = split_nullable(rest, u32_at(fixed, 4))?;
    let timestamp = Timestamp(base.0.wrapping_add(i64_at(fixed, 8)));
    let count = u16_at(fixed, 16);
    if count == 0 {
        return Some((RecordRef { timestamp, key, value, headers: HeadersRef::default() }, rest));
    }
    let (headers, rest) = split_headers(rest, count)?;
    Some((RecordRef { timestamp, key, value, headers }, rest))
}

#[inline(always)]
fn split_nullable(bytes: &[u8], size: u32) -> Option<(Option<&[u8]>, &[u8])> {
    if size == NULL {
        return Some((None, bytes));
    }
    let (field, rest) = bytes.split_at_checked(size as usize)?;
    Some((Some(field), rest))
}

/// Takes `count` headers off `bytes`.
fn split_headers(bytes: &[u8], count: u16) -> Option<(HeadersRef<'_>, &[u8])> {
    let mut rest = bytes;
    for _ in 0..count {
        (_, rest) = split_header(rest)?;
    }
    let size = bytes.len() - rest.len();
    Some((HeadersRef { bytes: &bytes[..size], count }, rest))
}

/// A header whose name may not be text.
struct RawHeader<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

/// Takes one header off `bytes`.
fn split_header(bytes: &[u8]) -> Option<(RawHeader<'_>, &[u8])> {
    let (fixed, rest) = bytes.split_first_chunk::<HEADER_FIXED_SIZE>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 0)))?;
    let (value, rest) = split_nullable(rest, u32_at(fixed, 2))?;
    Some((RawHeader { name, value }, rest))
}

/// Checks what a record in bounds can still violate. `size`: its bytes in the batch.
fn check_record(record: &RecordRef<'_>, size: usize) -> Result<(), BatchError> {
    if size > RECORD_SIZE_MAX {
        return Err(BatchError::RecordTooLarge { size, limit: RECORD_SIZE_MAX });
    }
    let count = record.headers.len();
    if count > RECORD_HEADERS_MAX {
        return Err(BatchError::TooManyHeaders { count, limit: RECORD_HEADERS_MAX });
    }
    if count > 0 && record.headers.iter().count() != count {
        return Err(BatchError::Malformed { what: "the name of a header is not UTF-8" });
    }
    Ok(())
}

fn producer_of(header: &[u8; BATCH_HEADER_SIZE]) -> Option<ProducerStamp> {
    let id = u64::from_le_bytes(array_at(header, 32));
    (id != NO_PRODUCER).then(|| ProducerStamp {
        id: ProducerId(id),
        epoch: ProducerEpoch(u16_at(header, 40)),
        sequence: RecordSequence(u32_at(header, 44)),
    })
}

/// `SIZE` bytes at the constant position `at`; both are known to the compiler, which drops the check.
#[inline(always)]
fn array_at<const SIZE: usize>(bytes: &[u8], at: usize) -> [u8; SIZE] {
    let mut array = [0; SIZE];
    array.copy_from_slice(&bytes[at..at + SIZE]);
    array
}

#[inline(always)]
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

#[inline(always)]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

#[inline(always)]
fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(array_at(bytes, at))
}
