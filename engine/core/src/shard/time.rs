//! Records of this shard's partitions by their time.

use super::inner::Inner;
use super::read::read_error;
use crate::client::{Bounds, ReadError};
use crate::io::Runtime;
use crate::log::ReadBatch;
use crate::model::{BatchView, Offset, PartitionId, StampedOffset, StreamId, TimeSearch, Timestamp};

impl<R: Runtime> Inner<R> {
    /// The committed record that `search` looks for.
    pub(super) async fn local_time(
        &self,
        partition: PartitionId,
        search: TimeSearch,
    ) -> Result<Option<StampedOffset>, ReadError> {
        loop {
            let Bounds { start, end } = self.local_bounds(partition)?;
            if start == end {
                return Ok(None);
            }
            let found = match search {
                TimeSearch::Since(timestamp) => self.record_since(partition, start, timestamp).await,
                TimeSearch::Largest => self.largest(partition, start).await,
            };
            match found {
                // The log start has passed the search by.
                Err(ReadError::OutOfRange { .. }) => self.runtime.mark("time-search-passed"),
                found => return found,
            }
        }
    }

    /// The first record from `start` on that has `timestamp` or a later one.
    async fn record_since(
        &self,
        partition: PartitionId,
        start: Offset,
        timestamp: Timestamp,
    ) -> Result<Option<StampedOffset>, ReadError> {
        let mut from = start;
        loop {
            let batch = self.log.first_since(StreamId::partition(partition), from, timestamp).await;
            let Some(batch) = batch.map_err(|error| read_error(error, partition, from))? else {
                return Ok(None);
            };
            let mut records = stamps(&batch, from);
            if let Some(found) = records.find(|record| record.timestamp >= timestamp) {
                return Ok(Some(found));
            }
            // Its record of that time lies before the start.
            self.runtime.mark("time-search-goes-on");
            from = batch.end;
        }
    }

    /// The first of the records from `start` on that have the largest timestamp.
    async fn largest(
        &self,
        partition: PartitionId,
        start: Offset,
    ) -> Result<Option<StampedOffset>, ReadError> {
        let error = |error| read_error(error, partition, start);
        let mut largest =
            self.log.largest_since(StreamId::partition(partition), start).await.map_err(error)?;
        // Of a batch that holds the start the rest counts.
        let first = self.log.read(StreamId::partition(partition), start, 1).await.map_err(error)?;
        if let Some(batch) = first.first()
            && batch.base < start
        {
            largest = largest.max(stamps(batch, start).map(|record| record.timestamp).max());
        }
        match largest {
            Some(largest) => self.record_since(partition, start, largest).await,
            None => Ok(None),
        }
    }
}

/// The records of `batch` from `from` on. A batch that is not a native one counts as one record at its beginning.
fn stamps<R: Runtime>(batch: &ReadBatch<R>, from: Offset) -> impl Iterator<Item = StampedOffset> + '_ {
    let foreign = batch.encoding != 0;
    let whole =
        foreign.then(|| StampedOffset { offset: batch.base.max(from), timestamp: batch.timestamp_max });
    let view = (!foreign).then(|| {
        BatchView::parse_trusted(&batch.bytes).expect("a batch that has its checksum is one of ours")
    });
    let numbered = view.into_iter().flat_map(|view| view.numbered(batch.base));
    let records = numbered
        .map(|(offset, record)| StampedOffset { offset, timestamp: record.timestamp })
        .filter(move |record| record.offset >= from);
    whole.into_iter().chain(records)
}
