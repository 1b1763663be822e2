//! What one partition remembers of all its producers.

use std::collections::{BTreeMap, BTreeSet};

use super::Window;
use crate::limits::{PARTITION_PRODUCERS_MAX, PRODUCER_BATCHES_KEPT};
use crate::model::{Offset, ProducerEpoch, ProducerId, ProducerStamp, RecordSequence};

/// The windows of a partition's producers; at most [`PARTITION_PRODUCERS_MAX`], beyond which those are
/// forgotten that have been silent for longest, as are those that have been silent for too long.
#[derive(Clone, Debug, Default)]
pub struct ProducerTable {
    windows: BTreeMap<ProducerId, Remembered>,
    /// The same by the offset of their newest batches, which no two share.
    by_base: BTreeSet<(Offset, ProducerId)>,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    window: Window,
    /// By when its newest batch was appended, by the log's clock. Milliseconds.
    appended_ms: u64,
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
    /// By when the newest of them was appended, by the log's clock. Milliseconds.
    pub appended_ms: u64,
}

impl ProducerTable {
    /// The window of a producer.
    #[must_use]
    pub fn window(&self, producer: ProducerId) -> Option<&Window> {
        self.windows.get(&producer).map(|remembered| &remembered.window)
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

    /// Remembers an appended batch of `count` records at `base`, which lies behind all before. `appended_ms`: by when it was
    /// appended, by the log's clock.
    pub fn appended(&mut self, stamp: &ProducerStamp, count: u32, base: Offset, appended_ms: u64) {
        let old = self.window(stamp.id);
        let window = Window::after(old, stamp, count, base);
        if let Some(old) = old.map(Window::newest_base) {
            self.by_base.remove(&(old, stamp.id));
        }
        self.windows.insert(stamp.id, Remembered { window, appended_ms });
        self.by_base.insert((base, stamp.id));
        if self.windows.len() > PARTITION_PRODUCERS_MAX {
            let (_, silent) = self.by_base.pop_first().expect("as many as windows");
            self.windows.remove(&silent);
        }
    }

    /// By when the producer that has been silent for longest appended its newest batch, by the log's clock. Milliseconds.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<u64> {
        let (_, producer) = self.by_base.first()?;
        Some(self.windows[producer].appended_ms)
    }

    /// Forgets the producers whose newest batches were appended by `until_ms`, by the log's clock.
    pub fn forget_silent(&mut self, until_ms: u64) {
        while self.oldest_ms().is_some_and(|oldest| oldest <= until_ms) {
            let (_, silent) = self.by_base.pop_first().expect("there is an oldest one");
            self.windows.remove(&silent);
        }
    }

    /// All windows, by producer.
    pub fn rows(&self) -> impl Iterator<Item = WindowRow> + '_ {
        self.windows.iter().map(|(producer, Remembered { window, appended_ms })| WindowRow {
            producer: *producer,
            epoch: window.epoch(),
            batches: window.rows().collect(),
            appended_ms: *appended_ms,
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
            let appended_ms = row.appended_ms;
            table.windows.insert(row.producer, Remembered { window, appended_ms });
        }
        let distinct = table.by_base.len() == table.windows.len();
        (distinct && table.windows.len() <= PARTITION_PRODUCERS_MAX).then_some(table)
    }
}
