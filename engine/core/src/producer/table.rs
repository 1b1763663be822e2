//! What one partition remembers of all its producers.

use std::collections::{BTreeMap, BTreeSet};

use super::Window;
use crate::limits::{PARTITION_PRODUCERS_MAX, PRODUCER_BATCHES_KEPT};
use crate::model::{Offset, ProducerEpoch, ProducerId, ProducerStamp, RecordSequence};

/// The windows of a partition's producers; at most [`PARTITION_PRODUCERS_MAX`], beyond which those are
/// forgotten that have been silent for longest.
#[derive(Clone, Debug, Default)]
pub struct ProducerTable {
    windows: BTreeMap<ProducerId, Window>,
    /// The same by the offset of their newest batches, which no two share.
    by_base: BTreeSet<(Offset, ProducerId)>,
}

/// One window as plain numbers, for a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WindowRow {
    /// The producer.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// First sequence, number of records and offset of its newest batches, oldest first.
    pub batches: Vec<(RecordSequence, u32, Offset)>,
}

impl ProducerTable {
    /// The window of a producer.
    #[must_use]
    pub fn window(&self, producer: ProducerId) -> Option<&Window> {
        self.windows.get(&producer)
    }

    /// Number of producers remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether no producer is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Remembers an appended batch of `count` records at `base`, which lies behind all before.
    pub fn appended(&mut self, stamp: &ProducerStamp, count: u32, base: Offset) {
        let old = self.windows.get(&stamp.id);
        let new = Window::after(old, stamp, count, base);
        if let Some(old) = old {
            self.by_base.remove(&(old.newest_base(), stamp.id));
        }
        self.windows.insert(stamp.id, new);
        self.by_base.insert((base, stamp.id));
        if self.windows.len() > PARTITION_PRODUCERS_MAX {
            let (_, silent) = self.by_base.pop_first().expect("as many as windows");
            self.windows.remove(&silent);
        }
    }

    /// All windows, by producer.
    pub fn rows(&self) -> impl Iterator<Item = WindowRow> + '_ {
        self.windows.iter().map(|(producer, window)| WindowRow {
            producer: *producer,
            epoch: window.epoch(),
            batches: window.rows().collect(),
        })
    }

    /// The table of these windows; `None` if [`ProducerTable::rows`] cannot have given them.
    #[must_use]
    pub fn from_rows(rows: impl IntoIterator<Item = WindowRow>) -> Option<Self> {
        let mut table = Self::default();
        for row in rows {
            let fits = (1..=PRODUCER_BATCHES_KEPT).contains(&row.batches.len());
            if !fits || table.windows.contains_key(&row.producer) {
                return None;
            }
            let mut window: Option<Window> = None;
            for (sequence, count, base) in row.batches {
                let stamp = ProducerStamp { id: row.producer, epoch: row.epoch, sequence };
                window = Some(Window::after(window.as_ref(), &stamp, count, base));
            }
            let window = window?;
            table.by_base.insert((window.newest_base(), row.producer));
            table.windows.insert(row.producer, window);
        }
        let distinct = table.by_base.len() == table.windows.len();
        (distinct && table.windows.len() <= PARTITION_PRODUCERS_MAX).then_some(table)
    }
}
