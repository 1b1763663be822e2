//! Reading this shard's partitions.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use super::OwnedBatch;
use super::inner::Inner;
use super::wake::at_most;
use crate::client::{Bounds, ProducerPosition, ReadError};
use crate::io::{DiskError, Runtime};
use crate::limits::CLIENT_READ_SIZE_MAX;
use crate::log::{ReadBatch, ReadError as LogError};
use crate::model::{Offset, PartitionId, ProducerEpoch, ProducerId, RecordSequence, StreamId};

impl OwnedBatch {
    /// A copy of a batch that was read here.
    pub(crate) fn copy_of<R: Runtime>(batch: &ReadBatch<R>) -> Self {
        Self {
            base: batch.base,
            end: batch.end,
            // A batch's entry counts in 32 bits.
            count: batch.count.0 as u32,
            encoding: batch.encoding,
            producer: ProducerId(batch.owner),
            epoch: ProducerEpoch(batch.epoch),
            sequence: RecordSequence(batch.sequence),
            timestamp_max: batch.timestamp_max,
            bytes: batch.bytes.to_vec(),
        }
    }
}

/// The log's answer about `partition` in the client's words.
pub(super) fn read_error(error: LogError, partition: PartitionId, from: Offset) -> ReadError {
    match error {
        LogError::UnknownStream => ReadError::UnknownPartition { partition },
        LogError::OutOfRange { start, end } => ReadError::OutOfRange { from, start, end },
        LogError::Damaged { segment, position, .. } => ReadError::Damaged { segment, position },
        LogError::Disk { source: source @ DiskError::TooManyOpenFiles { .. } } => {
            ReadError::TooManyOpenFiles { message: source.to_string() }
        }
        LogError::Disk { source } => ReadError::Disk { message: source.to_string() },
        LogError::Closed => ReadError::Closed,
    }
}

impl<R: Runtime> Inner<R> {
    pub(super) fn local_bounds(&self, id: PartitionId) -> Result<Bounds, ReadError> {
        if self.closing.get() {
            return Err(ReadError::Closed);
        }
        let mut state = self.state.borrow_mut();
        let partition = state.local(id).ok_or(ReadError::UnknownPartition { partition: id })?;
        Ok(Bounds { start: partition.start, end: partition.end })
    }

    pub(super) fn local_producer(
        &self,
        id: PartitionId,
        producer: ProducerId,
    ) -> Result<Option<ProducerPosition>, ReadError> {
        let mut state = self.state.borrow_mut();
        let partition = state.local(id).ok_or(ReadError::UnknownPartition { partition: id })?;
        let window = partition.producers.window(producer);
        Ok(window.map(|window| ProducerPosition { epoch: window.epoch(), next: window.next() }))
    }

    /// Whole batches from the one that holds `from`; none at the partition's end.
    pub(super) async fn local_read(
        &self,
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Vec<ReadBatch<R>>, ReadError> {
        let Bounds { start, end } = self.local_bounds(partition)?;
        if from < start || from > end {
            return Err(ReadError::OutOfRange { from, start, end });
        }
        if from == end {
            return Ok(Vec::new());
        }
        let bytes_max = bytes_max.min(CLIENT_READ_SIZE_MAX);
        let read = self.log.read(StreamId::partition(partition), from, bytes_max).await;
        read.map_err(|error| read_error(error, partition, from))
    }

    /// Ends when the partition's end lies behind `from`, or after `timeout`; with the end.
    pub(super) async fn local_wait(
        &self,
        partition: PartitionId,
        from: Offset,
        timeout: Option<Duration>,
    ) -> Result<Offset, ReadError> {
        let limit = timeout.map(|timeout| self.runtime.sleep(timeout));
        match at_most(self.data_behind(partition, from), limit).await {
            Some(end) => end,
            None => Ok(self.local_bounds(partition)?.end),
        }
    }

    /// Ends when the partition's end lies behind `from`.
    fn data_behind(
        &self,
        id: PartitionId,
        from: Offset,
    ) -> impl Future<Output = Result<Offset, ReadError>> + '_ {
        let mut place = WaitingPlace { inner: self, partition: id, ticket: 0 };
        poll_fn(move |context| {
            let end = match self.local_bounds(id) {
                Ok(bounds) => bounds.end,
                Err(error) => return Poll::Ready(Err(error)),
            };
            if end > from {
                return Poll::Ready(Ok(end));
            }
            let mut state = self.state.borrow_mut();
            let partition = state.local(id).expect("its bounds were just read");
            place.ticket = partition.waiters.register(place.ticket, context);
            Poll::Pending
        })
    }
}

/// A place among those who wait for a partition; given up when dropped.
struct WaitingPlace<'a, R: Runtime> {
    inner: &'a Inner<R>,
    partition: PartitionId,
    ticket: u64,
}

impl<R: Runtime> Drop for WaitingPlace<'_, R> {
    fn drop(&mut self) {
        let mut state = self.inner.state.borrow_mut();
        if let Some(partition) = state.partitions.get_mut(&self.partition) {
            partition.waiters.forget(self.ticket);
        }
    }
}
