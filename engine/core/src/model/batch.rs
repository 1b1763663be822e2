//! Native batches: length-prefixed records behind a small header, and an offset table, read in place.
//!
//! Layout: FORMAT.md, "Native batch". [`BatchBuilder`] writes it, [`BatchView`] reads it, [`Record`] is a
//! record outside of it.

use super::batch_read::RecordRef;
use super::{ProducerEpoch, ProducerId, RecordSequence, Timestamp};
use crate::limits::{BATCH_RECORDS_MAX, BATCH_SIZE_MAX, RECORD_HEADERS_MAX, RECORD_SIZE_MAX};

/// Bytes of a batch before its first record.
pub const BATCH_HEADER_SIZE: usize = 64;

/// Bytes of a record before its key: sizes, timestamp and number of headers.
pub const RECORD_FIXED_SIZE: usize = 20;

pub(super) const MAGIC: u32 = u32::from_le_bytes(*b"TWB1");
pub(super) const VERSION: u16 = 1;
/// Version of a batch whose records are not at consecutive offsets.
pub(super) const VERSION_SPARSE: u16 = 2;
/// Size that stands for "no key" or "no value".
pub(super) const NULL: u32 = u32::MAX;
/// Producer id that stands for "no producer".
pub(super) const NO_PRODUCER: u64 = u64::MAX;
/// Bytes of a record's header before its name.
pub(super) const HEADER_FIXED_SIZE: usize = 6;
/// Bytes of one entry of the offset table.
pub(super) const OFFSET_SIZE: usize = 4;

const _: () = assert!(BATCH_SIZE_MAX < NULL as usize, "a size never means null");
const _: () = assert!(RECORD_HEADERS_MAX <= u16::MAX as usize, "a header count fits its field");

/// Who produced a batch, so that a batch sent twice is appended once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProducerStamp {
    /// The producer; `u64::MAX` is not a producer.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Number of the batch's first record.
    pub sequence: RecordSequence,
}

/// A header of a record.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// Name: at most 65,535 bytes, not necessarily unique in its record.
    pub name: String,
    /// Value, or none at all.
    pub value: Option<Vec<u8>>,
}

/// A record that owns its bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record {
    /// When it happened, by its producer's clock.
    pub timestamp: Timestamp,
    /// Key, or none at all.
    pub key: Option<Vec<u8>>,
    /// Value, or none at all.
    pub value: Option<Vec<u8>>,
    /// Headers, in their order.
    pub headers: Vec<Header>,
}

impl From<RecordRef<'_>> for Record {
    fn from(record: RecordRef<'_>) -> Self {
        record.to_owned()
    }
}

/// Why a batch could not be built or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BatchError {
    /// The record alone exceeds the limit of a record.
    #[error("record of {size} bytes exceeds the limit of {limit}")]
    RecordTooLarge {
        /// Bytes of the record in its encoded form.
        size: usize,
        /// [`RECORD_SIZE_MAX`].
        limit: usize,
    },
    /// A record has too many headers.
    #[error("record with {count} headers exceeds the limit of {limit}")]
    TooManyHeaders {
        /// Headers of the record.
        count: usize,
        /// [`RECORD_HEADERS_MAX`].
        limit: usize,
    },
    /// The name of a record's header is too long.
    #[error("header name of {size} bytes exceeds the limit of {limit}")]
    HeaderNameTooLong {
        /// Bytes of the name.
        size: usize,
        /// 65,535.
        limit: usize,
    },
    /// The batch is, or with the record would be, larger than the limit. When building: finish it and begin
    /// another.
    #[error("batch of {size} bytes exceeds the limit of {limit}")]
    BatchTooLarge {
        /// Bytes of the batch in its encoded form.
        size: usize,
        /// [`BATCH_SIZE_MAX`].
        limit: usize,
    },
    /// The batch has, or with the record would have, too many records. When building: finish it and begin
    /// another.
    #[error("batch of {count} records exceeds the limit of {limit}")]
    TooManyRecords {
        /// Records of the batch.
        count: u32,
        /// [`BATCH_RECORDS_MAX`].
        limit: u32,
    },
    /// The bytes do not begin with a native batch.
    #[error("not a native batch")]
    NotABatch,
    /// The batch is of a version that this reader does not know.
    #[error("native batch of version {found}; known is {known}")]
    NewerVersion {
        /// Version in the header.
        found: u16,
        /// Version of this reader.
        known: u16,
    },
    /// The bytes begin as a batch and then contradict themselves.
    #[error("malformed batch: {what}")]
    Malformed {
        /// The first contradiction.
        what: &'static str,
    },
}

/// Builds native batches, one after the other, in memory that it keeps.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    /// Room for the header, then the records; after [`BatchBuilder::finish`] the whole batch.
    bytes: Vec<u8>,
    /// Position of each record from the batch's start.
    offsets: Vec<u32>,
    /// Offset of each record behind the batch's base; none while they are pushed without.
    deltas: Vec<u32>,
    producer: Option<ProducerStamp>,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
    finished: bool,
}

impl BatchBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all records and the producer; keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.offsets.clear();
        self.deltas.clear();
        self.producer = None;
        self.finished = false;
    }

    /// Sets the producer; the stamp's sequence is that of the batch's first record.
    pub fn set_producer(&mut self, producer: Option<ProducerStamp>) {
        debug_assert!(producer.is_none_or(|stamp| stamp.id.0 != NO_PRODUCER));
        self.producer = producer;
        self.finished = false;
    }

    /// Number of records.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.offsets.len() as u32
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Bytes that the batch would have if it were finished now.
    #[must_use]
    pub fn size(&self) -> usize {
        self.records_end() + (self.offsets.len() + self.deltas.len()) * OFFSET_SIZE
    }

    /// Adds a copy of `record`, at `delta` offsets behind the batch's base. Such a batch is what compaction leaves.
    ///
    /// # Errors
    /// As [`BatchBuilder::push`].
    /// # Panics
    /// As [`BatchBuilder::push`]; if the offsets do not rise, or earlier records were pushed without.
    pub fn push_at(&mut self, delta: u32, record: &RecordRef<'_>) -> Result<(), BatchError> {
        assert!(self.deltas.len() == self.offsets.len(), "all records of a batch have their offsets");
        assert!(self.deltas.last().is_none_or(|last| *last < delta), "offsets rise");
        let (headers, count) = record.headers.encoded();
        let sizes = Sizes::of(record.key.map(<[u8]>::len), record.value.map(<[u8]>::len), &[])?;
        let sizes = Sizes { record: sizes.record + headers.len(), ..sizes };
        self.begin_record(record.timestamp, &sizes, count)?;
        self.deltas.push(delta);
        self.bytes.extend_from_slice(record.key.unwrap_or_default());
        self.bytes.extend_from_slice(record.value.unwrap_or_default());
        self.bytes.extend_from_slice(headers);
        Ok(())
    }

    /// Adds a record.
    ///
    /// # Errors
    /// Limits only ([`BatchError::RecordTooLarge`], [`BatchError::TooManyHeaders`],
    /// [`BatchError::HeaderNameTooLong`], [`BatchError::BatchTooLarge`], [`BatchError::TooManyRecords`]); the
    /// builder is unchanged then.
    /// # Panics
    /// If the batch was finished and not cleared.
    #[inline]
    pub fn push(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), BatchError> {
        let sizes = Sizes::of(key.map(<[u8]>::len), value.map(<[u8]>::len), headers)?;
        self.begin_record(timestamp, &sizes, headers.len() as u16)?;
        self.bytes.extend_from_slice(key.unwrap_or_default());
        self.bytes.extend_from_slice(value.unwrap_or_default());
        if !headers.is_empty() {
            self.push_headers(headers);
        }
        Ok(())
    }

    /// Adds a record whose key and value lie in several slices each; they are joined in the batch.
    ///
    /// # Errors
    /// As [`BatchBuilder::push`].
    /// # Panics
    /// As [`BatchBuilder::push`].
    #[inline]
    pub fn push_parts(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[&[u8]]>,
        value: Option<&[&[u8]]>,
        headers: &[Header],
    ) -> Result<(), BatchError> {
        let total = |parts: &[&[u8]]| parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let sizes = Sizes::of(key.map(total), value.map(total), headers)?;
        self.begin_record(timestamp, &sizes, headers.len() as u16)?;
        for part in key.into_iter().chain(value).flatten() {
            self.bytes.extend_from_slice(part);
        }
        self.push_headers(headers);
        Ok(())
    }

    /// Adds a copy of `record`.
    ///
    /// # Errors
    /// As [`BatchBuilder::push`].
    /// # Panics
    /// As [`BatchBuilder::push`].
    pub fn push_record(&mut self, record: &Record) -> Result<(), BatchError> {
        self.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers)
    }

    /// Completes the batch and returns all its bytes. The builder then waits for [`BatchBuilder::clear`].
    ///
    /// # Panics
    /// If there is no record: an empty batch does not exist.
    pub fn finish(&mut self) -> &[u8] {
        assert!(!self.is_empty(), "a batch has at least one record");
        let end = self.records_end();
        self.bytes.truncate(end);
        if self.deltas.iter().zip(0u32..).all(|(delta, index)| *delta == index) {
            self.deltas.clear();
        }
        self.bytes.reserve((self.offsets.len() + self.deltas.len()) * OFFSET_SIZE);
        for offset in self.offsets.iter().chain(&self.deltas) {
            self.bytes.extend_from_slice(&offset.to_le_bytes());
        }
        let header = self.header(end);
        self.bytes[..BATCH_HEADER_SIZE].copy_from_slice(&header);
        self.finished = true;
        debug_assert_eq!(self.bytes.len(), self.size());
        &self.bytes
    }

    /// Completes the batch and returns its bytes with their memory.
    ///
    /// # Panics
    /// As [`BatchBuilder::finish`].
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.finish();
        self.bytes
    }

    /// End of the records from the batch's start: where the offset table goes.
    fn records_end(&self) -> usize {
        let entries = self.offsets.len() + self.deltas.len();
        let table = if self.finished { entries * OFFSET_SIZE } else { 0 };
        self.bytes.len().max(BATCH_HEADER_SIZE) - table
    }

    /// Checks the limits and writes everything of a record that precedes its key.
    #[inline]
    fn begin_record(&mut self, timestamp: Timestamp, sizes: &Sizes, headers: u16) -> Result<(), BatchError> {
        assert!(!self.finished, "a finished batch takes no more records");
        let size = self.size() + sizes.record + OFFSET_SIZE;
        if size > BATCH_SIZE_MAX {
            return Err(BatchError::BatchTooLarge { size, limit: BATCH_SIZE_MAX });
        }
        let count = self.count() + 1;
        if count > BATCH_RECORDS_MAX {
            return Err(BatchError::TooManyRecords { count, limit: BATCH_RECORDS_MAX });
        }
        if count == 1 {
            self.bytes.resize(BATCH_HEADER_SIZE, 0);
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        // Below the limit of a batch, so none of these casts cuts anything off.
        self.offsets.push(self.bytes.len() as u32);
        let mut fixed = [0; RECORD_FIXED_SIZE];
        fixed[0..4].copy_from_slice(&sizes.key.to_le_bytes());
        fixed[4..8].copy_from_slice(&sizes.value.to_le_bytes());
        let delta = timestamp.0.wrapping_sub(self.base_timestamp.0);
        fixed[8..16].copy_from_slice(&delta.to_le_bytes());
        fixed[16..18].copy_from_slice(&headers.to_le_bytes());
        self.bytes.reserve(sizes.record);
        self.bytes.extend_from_slice(&fixed);
        Ok(())
    }

    fn push_headers(&mut self, headers: &[Header]) {
        for header in headers {
            let value = header.value.as_deref();
            let value_size = value.map_or(NULL, |value| value.len() as u32);
            self.bytes.extend_from_slice(&(header.name.len() as u16).to_le_bytes());
            self.bytes.extend_from_slice(&value_size.to_le_bytes());
            self.bytes.extend_from_slice(header.name.as_bytes());
            self.bytes.extend_from_slice(value.unwrap_or_default());
        }
    }

    fn header(&self, records_end: usize) -> [u8; BATCH_HEADER_SIZE] {
        let size = self.bytes.len() as u32;
        let records_size = (records_end - BATCH_HEADER_SIZE) as u32;
        let (producer, epoch, sequence) =
            self.producer.map_or((NO_PRODUCER, 0, 0), |stamp| (stamp.id.0, stamp.epoch.0, stamp.sequence.0));
        let mut bytes = [0; BATCH_HEADER_SIZE];
        bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        let version = if self.deltas.is_empty() { VERSION } else { VERSION_SPARSE };
        bytes[4..6].copy_from_slice(&version.to_le_bytes());
        bytes[8..12].copy_from_slice(&size.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.count().to_le_bytes());
        bytes[16..24].copy_from_slice(&self.base_timestamp.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.max_timestamp.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&producer.to_le_bytes());
        bytes[40..42].copy_from_slice(&epoch.to_le_bytes());
        bytes[44..48].copy_from_slice(&sequence.to_le_bytes());
        bytes[48..52].copy_from_slice(&records_size.to_le_bytes());
        bytes
    }
}

/// Sizes of one record, checked against the limits of a record.
struct Sizes {
    key: u32,
    value: u32,
    record: usize,
}

impl Sizes {
    #[inline]
    fn of(key: Option<usize>, value: Option<usize>, headers: &[Header]) -> Result<Self, BatchError> {
        let mut record = RECORD_FIXED_SIZE
            .saturating_add(key.unwrap_or_default())
            .saturating_add(value.unwrap_or_default());
        if !headers.is_empty() {
            record = record.saturating_add(headers_size(headers)?);
        }
        if record > RECORD_SIZE_MAX {
            return Err(BatchError::RecordTooLarge { size: record, limit: RECORD_SIZE_MAX });
        }
        let field = |size: Option<usize>| size.map_or(NULL, |size| size as u32);
        Ok(Self { key: field(key), value: field(value), record })
    }
}

/// Bytes of `headers` in their encoded form.
fn headers_size(headers: &[Header]) -> Result<usize, BatchError> {
    if headers.len() > RECORD_HEADERS_MAX {
        return Err(BatchError::TooManyHeaders { count: headers.len(), limit: RECORD_HEADERS_MAX });
    }
    let mut total = 0usize;
    for header in headers {
        let limit = usize::from(u16::MAX);
        if header.name.len() > limit {
            return Err(BatchError::HeaderNameTooLong { size: header.name.len(), limit });
        }
        let value = header.value.as_ref().map_or(0, Vec::len);
        total = total.saturating_add(HEADER_FIXED_SIZE + header.name.len()).saturating_add(value);
    }
    Ok(total)
}
