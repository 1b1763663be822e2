//! Which batches lie together on the disk. Pure.

use std::ops::Range;

use crate::limits::{BLOCK_SIZE, READ_GAP_MAX, READ_SIZE_MAX};
use crate::log::index::Row;
use crate::model::SegmentId;

/// One read of a segment that serves one or more batches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::log) struct Run {
    pub(in crate::log) segment: SegmentId,
    /// Bytes of the segment, whole blocks.
    pub(in crate::log) bytes: Range<u32>,
    /// Which of the rows it serves, by their places in the plan.
    pub(in crate::log) rows: Vec<usize>,
}

/// Groups `rows`, in order, into reads: neighbours share one, up to [`READ_SIZE_MAX`]; a larger batch has one
/// of its own.
pub(in crate::log) fn plan_runs(rows: impl Iterator<Item = (usize, SegmentId, Row)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let block = BLOCK_SIZE as u32;
    for (place, segment, row) in rows {
        let start = row.position / block * block;
        let end = (row.position + row.length).next_multiple_of(block);
        if let Some(run) = runs.last_mut()
            && run.segment == segment
            && start >= run.bytes.start
            && start <= run.bytes.end.saturating_add(READ_GAP_MAX)
            && (end - run.bytes.start) as usize <= READ_SIZE_MAX
        {
            run.bytes.end = run.bytes.end.max(end);
            run.rows.push(place);
            continue;
        }
        runs.push(Run { segment, bytes: start..end, rows: vec![place] });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(position: u32, length: u32) -> Row {
        Row { position, length, ..Row::default() }
    }

    #[test]
    fn neighbours_share_a_read_until_it_is_large() {
        let segment = SegmentId(1);
        let rows = [
            (0, segment, row(4096 + 16, 100)),
            (1, segment, row(4096 + 128, 5000)),
            (2, segment, row(20_480, 4096)),
            (3, segment, row(900_000, 10)),
            (4, segment, row(904_000, 300_000)),
            (5, SegmentId(2), row(4112, 10)),
        ];
        let runs = plan_runs(rows.into_iter());
        let expected = [
            Run { segment, bytes: 4096..24_576, rows: vec![0, 1, 2] },
            Run { segment, bytes: 897_024..1_204_224, rows: vec![3, 4] },
            Run { segment: SegmentId(2), bytes: 4096..8192, rows: vec![5] },
        ];
        assert_eq!(runs, expected);
    }

    #[test]
    fn no_read_is_larger_than_allowed_unless_for_one_batch() {
        let rows = (0..100).map(|n| (n, SegmentId(0), row(4096 + n as u32 * 100_000, 100_000)));
        let mut served = 0;
        for run in plan_runs(rows) {
            assert!(run.bytes.len() <= READ_SIZE_MAX);
            served += run.rows.len();
        }
        assert_eq!(served, 100);
        let large = [(0, SegmentId(0), row(4096, 5 << 20)), (1, SegmentId(0), row((5 << 20) + 4096, 10))];
        assert_eq!(plan_runs(large.into_iter()).len(), 2);
    }
}
