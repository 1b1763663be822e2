//! What the frame says that moves batches into a store segment. Pure.

use super::layout::Placed;
use crate::log::format::{RegroupV1, StorePartV1, StoreRestV1, StoreSourceV1};
use crate::log::index::end_of;

/// What is said of batches of `sources`: `copied` are moved, `left` are not; both sorted by stream and offset. Fields that
/// tell of the store segment are left to the caller.
pub(super) fn moved(sources: Vec<StoreSourceV1>, copied: &[Placed], left: &[Placed]) -> RegroupV1 {
    let mut regroup = RegroupV1 { sources, ..RegroupV1::default() };
    for (number, placed) in copied.iter().enumerate() {
        let Some(stream) = placed.stream() else { continue };
        let (base, end, bytes) = (placed.row.base, end_of(&placed.row), u64::from(placed.row.length));
        let timestamp_max = placed.row.timestamp_max;
        match regroup.parts.last_mut() {
            Some(part) if placed.follows(&copied[number - 1]) => {
                part.end = end;
                part.bytes += bytes;
                part.timestamp_max = part.timestamp_max.max(timestamp_max);
            }
            _ => regroup.parts.push(StorePartV1 { stream: stream.0, base, end, bytes, timestamp_max }),
        }
    }
    let mut last = None;
    for placed in left {
        let Some(stream) = placed.stream() else { continue };
        // Streams that nothing was copied of stay as they are.
        if regroup.parts.binary_search_by_key(&stream.0, |part| part.stream).is_err() {
            continue;
        }
        let (bytes, timestamp_max) = (u64::from(placed.row.length), placed.row.timestamp_max);
        match regroup.rests.last_mut() {
            Some(rest) if last == Some((stream, placed.root)) => {
                rest.bytes += bytes;
                rest.timestamp_max = rest.timestamp_max.max(timestamp_max);
            }
            _ => {
                let (segment, base) = (placed.segment.0, placed.row.base);
                regroup.rests.push(StoreRestV1 { stream: stream.0, segment, base, bytes, timestamp_max });
            }
        }
        last = Some((stream, placed.root));
    }
    regroup
}
