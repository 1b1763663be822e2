//! What one partition remembers of one producer.

use crate::limits::PRODUCER_BATCHES_KEPT;
use crate::model::{Offset, ProducerEpoch, ProducerStamp, RecordSequence};

/// The last batches of one producer in one partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    epoch: ProducerEpoch,
    next: RecordSequence,
    /// The newest batches of this epoch, oldest first; only the first `kept` mean anything.
    batches: [Kept; PRODUCER_BATCHES_KEPT],
    kept: u8,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Kept {
    first: RecordSequence,
    count: u32,
    base: Offset,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Append it.
    Append,
    /// It was appended before, at this offset.
    Duplicate(Offset),
}

/// Why a batch may not be appended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The producer has this newer epoch.
    Fenced(ProducerEpoch),
    /// A new batch would have this sequence number.
    OutOfOrder(RecordSequence),
    /// Nothing is known of the producer, and the batch does not begin at 0.
    Unknown,
}

impl Window {
    /// Judges a batch of `count` records of a producer whose window, if any, is `window`.
    ///
    /// A producer of which nothing is known, and one with a raised epoch, begin at sequence 0.
    ///
    /// # Errors
    /// [`Refusal`]; the batch must not be appended.
    pub fn judge(window: Option<&Self>, stamp: &ProducerStamp, count: u32) -> Result<Verdict, Refusal> {
        let Some(window) = window else {
            return if stamp.sequence.0 == 0 { Ok(Verdict::Append) } else { Err(Refusal::Unknown) };
        };
        if stamp.epoch < window.epoch {
            return Err(Refusal::Fenced(window.epoch));
        }
        if stamp.epoch > window.epoch {
            let fresh = stamp.sequence.0 == 0;
            return if fresh { Ok(Verdict::Append) } else { Err(Refusal::OutOfOrder(RecordSequence(0))) };
        }
        if stamp.sequence == window.next {
            return Ok(Verdict::Append);
        }
        let repeated = window.batches().find(|kept| kept.first == stamp.sequence && kept.count == count);
        match repeated {
            Some(kept) => Ok(Verdict::Duplicate(kept.base)),
            None => Err(Refusal::OutOfOrder(window.next)),
        }
    }

    /// The window after a batch of `count` records was appended at `base`.
    #[must_use]
    pub fn after(window: Option<&Self>, stamp: &ProducerStamp, count: u32, base: Offset) -> Self {
        let same_epoch = window.filter(|window| window.epoch == stamp.epoch);
        let mut window = same_epoch.copied().unwrap_or(Self {
            epoch: stamp.epoch,
            next: RecordSequence(0),
            batches: [Kept::default(); PRODUCER_BATCHES_KEPT],
            kept: 0,
        });
        window.push(Kept { first: stamp.sequence, count, base });
        window.next = stamp.sequence.advance(count);
        window
    }

    /// The producer's epoch.
    #[must_use]
    pub fn epoch(&self) -> ProducerEpoch {
        self.epoch
    }

    /// The sequence number of the next new batch in this epoch.
    #[must_use]
    pub fn next(&self) -> RecordSequence {
        self.next
    }

    /// Offset of the newest batch: who has the lowest has been silent for longest.
    #[must_use]
    pub fn newest_base(&self) -> Offset {
        self.batches().last().map(|kept| kept.base).unwrap_or_default()
    }

    /// First sequence, number of records and offset of the kept batches, oldest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = (RecordSequence, u32, Offset)> + '_ {
        self.batches().map(|kept| (kept.first, kept.count, kept.base))
    }

    fn batches(&self) -> impl DoubleEndedIterator<Item = &Kept> + '_ {
        self.batches[..usize::from(self.kept)].iter()
    }

    fn push(&mut self, batch: Kept) {
        if usize::from(self.kept) == PRODUCER_BATCHES_KEPT {
            self.batches.rotate_left(1);
            self.kept -= 1;
        }
        self.batches[usize::from(self.kept)] = batch;
        self.kept += 1;
    }
}
