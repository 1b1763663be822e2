//! Searches by time.

use std::rc::Rc;

use super::request::{fetch_footer, read};
use crate::io::Runtime;
use crate::log::index::{Index, Row, Sought};
use crate::log::shared::Shared;
use crate::log::{ReadBatch, ReadError};
use crate::model::{Offset, SegmentId, StreamId, Timestamp};

/// See [`Log::first_since`](crate::log::Log::first_since).
pub(in crate::log) async fn first_since<R: Runtime>(
    shared: &Rc<Shared<R>>,
    stream: StreamId,
    from: Offset,
    timestamp: Timestamp,
) -> Result<Option<ReadBatch<R>>, ReadError> {
    let row =
        seek(shared, stream, from, |index, footer| index.first_since(stream, from.0, timestamp.0, footer));
    let Some(row) = row.await? else { return Ok(None) };
    let batches = read(shared, stream, from.max(Offset(row.base)), 1).await?;
    Ok(batches.into_iter().next())
}

/// See [`Log::largest_since`](crate::log::Log::largest_since).
pub(in crate::log) async fn largest_since<R: Runtime>(
    shared: &Rc<Shared<R>>,
    stream: StreamId,
    from: Offset,
) -> Result<Option<Timestamp>, ReadError> {
    let largest = seek(shared, stream, from, |index, footer| index.largest_since(stream, from.0, footer));
    Ok(largest.await?.map(Timestamp))
}

type Footer<'a> = &'a mut dyn FnMut(SegmentId, u64) -> Option<Box<dyn Iterator<Item = Row> + 'a>>;

/// Calls `search` until every footer that it asks for is in memory.
async fn seek<R: Runtime, T>(
    shared: &Rc<Shared<R>>,
    stream: StreamId,
    from: Offset,
    search: impl Fn(&Index, Footer<'_>) -> Sought<T>,
) -> Result<Option<T>, ReadError> {
    loop {
        if shared.is_stopped() {
            return Err(ReadError::Closed);
        }
        let sought = {
            let index = shared.index.borrow();
            let bounds = index.bounds(stream).ok_or(ReadError::UnknownStream)?;
            if from < bounds.start || from > bounds.end {
                return Err(ReadError::OutOfRange { start: bounds.start, end: bounds.end });
            }
            let footers = shared.footers.borrow();
            let mut footer = |segment, from| {
                let rows = footers.rows(segment, stream, from)?;
                Some(Box::new(rows) as Box<dyn Iterator<Item = Row> + '_>)
            };
            search(&index, &mut footer)
        };
        match sought {
            Sought::Found(found) => return Ok(found),
            Sought::Footer { segment, generation } => {
                shared.runtime.mark("time-search-footer");
                fetch_footer(shared, segment, generation).await?;
            }
        }
    }
}
