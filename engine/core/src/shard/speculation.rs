//! What was decided and is not committed yet.

use std::collections::{BTreeMap, VecDeque};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::model::{Offset, PartitionId, ProducerId, ProducerStamp, Sequence, ShardId, StoreId};
use crate::producer::Window;

/// One decision of a frame in flight.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// A batch was given offsets.
    Batch { partition: PartitionId, base: Offset, count: u32, stamp: Option<ProducerStamp> },
    /// A batch was given a number in an outbox.
    Outbox { target: ShardId, number: u64 },
}

/// Decisions in flight, in order, and the producers' windows as they are after them. Next offsets and numbers
/// lie with what they belong to.
///
/// Everything here can be thrown away and rebuilt from the committed state and `in_flight`.
#[derive(Debug, Default)]
pub(super) struct Speculation {
    pub(super) in_flight: VecDeque<(Sequence, Effect)>,
    windows: HashMap<(PartitionId, ProducerId), (Window, Sequence), FixedState>,
    /// Names being given.
    pub(super) naming: BTreeMap<String, (StoreId, Sequence)>,
    /// The number for the next name.
    pub(super) next_name: StoreId,
}

impl Speculation {
    /// The window of a producer with batches in flight, and the last frame that holds one of them.
    pub(super) fn window(&self, partition: PartitionId, producer: ProducerId) -> Option<&(Window, Sequence)> {
        self.windows.get(&(partition, producer))
    }

    /// A batch went into frame `sequence`; `committed` is its producer's committed window.
    pub(super) fn batch(
        &mut self,
        sequence: Sequence,
        partition: PartitionId,
        (base, count): (Offset, u32),
        stamp: Option<ProducerStamp>,
        committed: Option<&Window>,
    ) {
        self.in_flight.push_back((sequence, Effect::Batch { partition, base, count, stamp }));
        if let Some(stamp) = stamp {
            let key = (partition, stamp.id);
            let before = self.windows.get(&key).map(|(window, _)| window).or(committed);
            let window = Window::after(before, &stamp, count, base);
            self.windows.insert(key, (window, sequence));
        }
    }

    /// A batch for an outbox went into frame `sequence`.
    pub(super) fn outbox(&mut self, sequence: Sequence, target: ShardId, number: u64) {
        self.in_flight.push_back((sequence, Effect::Outbox { target, number }));
    }

    /// Frames up to `sequence` are committed.
    pub(super) fn committed(&mut self, sequence: Sequence) {
        while let Some((first, effect)) = self.in_flight.front() {
            if *first > sequence {
                return;
            }
            if let Effect::Batch { partition, stamp: Some(stamp), .. } = effect {
                let key = (*partition, stamp.id);
                if self.windows.get(&key).is_some_and(|(_, last)| *last <= sequence) {
                    self.windows.remove(&key);
                }
            }
            self.in_flight.pop_front();
        }
    }

    /// Throws the windows away and hands out what they are rebuilt from.
    pub(super) fn take(&mut self) -> VecDeque<(Sequence, Effect)> {
        self.windows.clear();
        std::mem::take(&mut self.in_flight)
    }
}
