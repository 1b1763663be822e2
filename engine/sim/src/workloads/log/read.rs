//! Reads, compared with the oracle.

use thalweg_engine::log::ReadError;
use thalweg_engine::model::{Offset, StreamId};

use super::life::{Driver, Failed, segment_path};
use super::oracle::span_of;
use crate::runtime::SimRuntime;

type ReadBatch = thalweg_engine::log::ReadBatch<SimRuntime>;

/// Reads in a row that may bring nothing: their disk may fail.
const ATTEMPTS_MAX: u32 = 1000;

impl Driver {
    /// Reads a part of any stream.
    pub(super) async fn read_some(&mut self) -> Result<(), Failed> {
        let streams: Vec<StreamId> = self.next.keys().copied().collect();
        if streams.is_empty() {
            return Ok(());
        }
        let stream = *self.prng.pick(&streams);
        let Some(bounds) = self.log.bounds(stream) else { return Ok(()) };
        let from = bounds.start.0 + self.prng.below(bounds.end.0 - bounds.start.0 + 1);
        let bytes_max = self.prng.below(200_000) as usize;
        self.read_from(stream, from, bytes_max).await.map(drop)
    }

    /// Reads every stream from its start to its end.
    pub(super) async fn check_all(&self) -> Result<(), Failed> {
        self.oracle.borrow_mut().advance(self.state.borrow().last);
        let streams: Vec<StreamId> = self.oracle.borrow().streams.keys().copied().collect();
        for stream in streams {
            let (start, end) = {
                let oracle = self.oracle.borrow();
                let Some(stream) = oracle.streams.get(&stream) else { continue };
                (stream.start, stream.end)
            };
            let bounds = self.log.bounds(stream).expect("a stream that has batches has bounds");
            assert!(bounds.start.0 >= start, "stream {stream} begins at {}, not at {start}", bounds.start);
            assert!(bounds.end.0 >= end, "stream {stream} ends at {}, not at {end}", bounds.end);
            let mut at = start;
            let mut attempts = 0;
            while at < end {
                let next = self.read_from(stream, at, 20_000).await?;
                attempts = if next == at { attempts + 1 } else { 0 };
                assert!(attempts < ATTEMPTS_MAX, "stream {stream} does not go on at {at}");
                at = next;
            }
        }
        Ok(())
    }

    /// Reads once from `from` and checks what comes; returns where to go on.
    async fn read_from(&self, stream: StreamId, from: u64, bytes_max: usize) -> Result<u64, Failed> {
        let read = self.log.read(stream, Offset(from), bytes_max).await;
        self.oracle.borrow_mut().advance(self.state.borrow().last);
        let oracle = self.oracle.borrow();
        // Deleted, or trimmed, while the read was under way.
        let Some(expected) = oracle.streams.get(&stream) else { return Ok(u64::MAX) };
        let batches = match read {
            Ok(batches) => batches,
            Err(ReadError::Closed) => return Err(Failed),
            Err(ReadError::OutOfRange { .. }) if from < expected.start => return Ok(expected.start),
            Err(ReadError::Disk { source }) => {
                assert!(!self.life.last, "a disk without faults failed: {source}");
                return Ok(from);
            }
            Err(ReadError::Damaged { segment, .. }) if let Some(tolerated) = &self.tolerated => {
                assert_eq!(segment_path(segment), tolerated.file, "the wrong file is blamed");
                tolerated.reads.set(tolerated.reads.get() + 1);
                return Ok(expected.end);
            }
            Err(error) => panic!("read of {stream} from {from}: {error}"),
        };
        let mut at = from;
        let mut bytes = 0;
        for batch in &batches {
            assert!(bytes == 0 || batch.base.0 == at, "batches follow each other");
            assert!(batch.base.0 <= at, "the first batch holds {at}");
            at = match expected.batches.get(&batch.base.0) {
                Some(known) => {
                    assert_same(batch, known);
                    known.end
                }
                None => {
                    assert!(batch.base.0 < expected.start, "stream {stream} has a batch at {}", batch.base);
                    batch.base.0 + if stream.0 >> 63 == 1 { 1 } else { batch.count.0 }
                }
            };
            bytes += batch.bytes.len();
        }
        assert!(batches.len() <= 1 || bytes <= bytes_max, "no more than asked for");
        let bounds = self.log.bounds(stream).expect("the stream is there");
        assert!(!batches.is_empty() || from >= expected.start.max(bounds.start.0));
        Ok(at)
    }
}

fn assert_same(batch: &ReadBatch, known: &super::oracle::Batch) {
    let entry = &known.entry;
    assert!(*batch.bytes == *known.bytes, "batch {} of {} has other bytes", batch.base, entry.subject);
    assert_eq!(batch.base.0 + span_of(entry), known.end);
    let found =
        (batch.subject, batch.owner, batch.count.0, batch.epoch, batch.sequence, batch.timestamp_max.0);
    let count = u64::from(entry.count);
    let wanted = (entry.subject, entry.owner, count, entry.epoch, entry.sequence, entry.timestamp_max);
    assert_eq!(found, wanted, "the fields of a batch are those it was appended with");
}
