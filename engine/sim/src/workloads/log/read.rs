//! Reads, compared with the oracle.

use std::cell::RefCell;
use std::rc::Rc;

use thalweg_engine::log::{Log, ReadError};
use thalweg_engine::model::{Offset, StreamId};

use super::life::{Driver, Failed, Tolerated, segment_path};
use super::oracle::{Batch, Oracle, span_of};
use super::state::State;
use crate::runtime::SimRuntime;

type ReadBatch = thalweg_engine::log::ReadBatch<SimRuntime>;

/// Reads in a row that may bring nothing: their disk may fail.
const ATTEMPTS_MAX: u32 = 1000;

/// What a reader needs.
#[derive(Clone)]
pub(super) struct Reads {
    pub(super) runtime: SimRuntime,
    pub(super) log: Log<SimRuntime>,
    pub(super) state: Rc<RefCell<State>>,
    pub(super) oracle: Rc<RefCell<Oracle>>,
    /// Nothing fails.
    pub(super) is_last: bool,
    pub(super) tolerated: Option<Tolerated>,
}

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
        self.reads.read_from(stream, from, bytes_max).await.map(drop)
    }
}

impl Reads {
    /// Those that are not deleted.
    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.oracle.borrow_mut().advance(self.state.borrow().last);
        self.oracle.borrow().streams.keys().copied().collect()
    }

    /// Reads every stream from its start to its end.
    pub(super) async fn check_all(&self) -> Result<(), Failed> {
        for stream in self.streams() {
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
    ///
    /// What comes is what was appended there, or that it was let go: whatever happens while the read is under way.
    pub(super) async fn read_from(
        &self,
        stream: StreamId,
        from: u64,
        bytes_max: usize,
    ) -> Result<u64, Failed> {
        let end = self.log.bounds(stream).map_or(0, |bounds| bounds.end.0);
        self.oracle.borrow_mut().read_begun();
        let read = self.log.read(stream, Offset(from), bytes_max).await;
        self.oracle.borrow_mut().advance(self.state.borrow().last);
        let next = self.checked(stream, (from, end), bytes_max, read);
        self.oracle.borrow_mut().read_ended();
        next
    }

    fn checked(
        &self,
        stream: StreamId,
        (from, end): (u64, u64),
        bytes_max: usize,
        read: Result<Vec<ReadBatch>, ReadError>,
    ) -> Result<u64, Failed> {
        let oracle = self.oracle.borrow();
        // `None`: deleted while the read was under way.
        let kept = oracle.streams.get(&stream);
        let batches = match read {
            Ok(batches) => batches,
            Err(ReadError::Closed) => return Err(Failed),
            Err(ReadError::OutOfRange { .. }) if kept.is_some_and(|kept| from < kept.start) => {
                self.runtime.count("log.read-let-go");
                return Ok(kept.map_or(u64::MAX, |kept| kept.start));
            }
            Err(ReadError::OutOfRange { .. } | ReadError::UnknownStream) if kept.is_none() => {
                return Ok(u64::MAX);
            }
            Err(ReadError::Disk { source }) => {
                assert!(!self.is_last, "a disk without faults failed: {source}");
                return Ok(if kept.is_some() { from } else { u64::MAX });
            }
            Err(ReadError::Damaged { segment, .. }) if let Some(tolerated) = &self.tolerated => {
                assert_eq!(segment_path(segment), tolerated.file, "the wrong file is blamed");
                tolerated.reads.set(tolerated.reads.get() + 1);
                return Ok(kept.map_or(u64::MAX, |kept| kept.end));
            }
            Err(error) => panic!("read of {stream} from {from}: {error}"),
        };
        let (mut at, mut bytes, mut gone) = (from, 0, 0);
        for batch in &batches {
            assert!(bytes == 0 || batch.base.0 == at, "batches follow each other");
            assert!(batch.base.0 <= at, "the first batch holds {at}");
            let known = kept.and_then(|kept| kept.batches.get(&batch.base.0));
            gone += u32::from(known.is_none());
            let let_go = || oracle.let_go.get(&(stream, batch.base.0));
            let known = known.or_else(let_go).unwrap_or_else(|| {
                panic!("stream {stream} has a batch at {} that was let go before, or never was", batch.base)
            });
            assert_same(batch, known);
            at = known.end;
            bytes += batch.bytes.len();
        }
        if gone > 0 {
            self.runtime.count("log.read-before-let-go");
        }
        assert!(batches.len() <= 1 || bytes <= bytes_max, "no more than asked for");
        assert!(
            !batches.is_empty() || from >= end,
            "there is nothing at {from} of {stream}, which ends at {end}"
        );
        Ok(if kept.is_some() { at } else { u64::MAX })
    }
}

fn assert_same(batch: &ReadBatch, known: &Batch) {
    let entry = &known.entry;
    assert!(*batch.bytes == *known.bytes, "batch {} of {} has other bytes", batch.base, entry.subject);
    assert_eq!(batch.base.0 + span_of(entry), known.end);
    let found =
        (batch.subject, batch.owner, batch.count.0, batch.epoch, batch.sequence, batch.timestamp_max.0);
    let count = u64::from(entry.count);
    let wanted = (entry.subject, entry.owner, count, entry.epoch, entry.sequence, entry.timestamp_max);
    assert_eq!(found, wanted, "the fields of a batch are those it was appended with");
}
