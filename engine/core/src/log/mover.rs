//! Replacing batches of one stream, in ended segments, by what compaction leaves of them.
//!
//! One at a time moves batches about: a compaction, or regrouping. So what either has looked up stays where it is until its
//! frame is committed, but for what is trimmed or deleted meanwhile.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::format::{Entry, EntryKind};
use super::handle::Log;
use super::index::{Movable, Row, end_of};
use super::read::{fetch_footer, read_rows};
use super::regroup::Pace;
use super::shared::Shared;
use super::{AppendError, Closed, DraftEntry, ReadBatch, ReadError};
use crate::io::Runtime;
use crate::model::{Offset, StreamId};

/// The right to move batches; given back when dropped.
pub(super) struct MoverTurn<R: Runtime> {
    shared: Rc<Shared<R>>,
    /// Regrouping may have been turned away meanwhile.
    wakes_regrouper: bool,
}

impl<R: Runtime> MoverTurn<R> {
    /// The turn, for regrouping, unless somebody has it: then regrouping is woken when it is given back.
    pub(super) fn of_regrouping(shared: &Rc<Shared<R>>) -> Option<Self> {
        let taken = shared.moving.replace(true);
        (!taken).then(|| Self { shared: Rc::clone(shared), wakes_regrouper: false })
    }
}

impl<R: Runtime> Drop for MoverTurn<R> {
    fn drop(&mut self) {
        self.shared.moving.set(false);
        self.shared.movers.wake_all();
        if self.wakes_regrouper {
            self.shared.regrouper.give();
        }
    }
}

/// A part of a stream in an ended segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    /// First offset in it.
    pub(crate) base: Offset,
    /// Offset behind the last in it.
    pub(crate) end: Offset,
    /// Bytes of its batches.
    pub(crate) bytes: u64,
    place: Movable,
}

impl From<Movable> for Part {
    fn from(place: Movable) -> Self {
        Self { base: Offset(place.base), end: Offset(place.end), bytes: place.bytes, place }
    }
}

/// Where a batch of a part lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartRow {
    row: Row,
}

impl PartRow {
    /// Offset behind its last record.
    pub(crate) fn end(&self) -> Offset {
        Offset(end_of(&self.row))
    }

    /// Its bytes.
    pub(crate) fn size(&self) -> usize {
        self.row.length as usize
    }

    /// Its largest timestamp. Milliseconds since 1970.
    pub(crate) fn timestamp_max(&self) -> i64 {
        self.row.timestamp_max
    }

    /// Its entry, to be kept with its bytes as they are.
    pub(crate) fn kept_entry(&self) -> Entry {
        Entry { kind: EntryKind::CompactedBatch.raw(), owner: end_of(&self.row), ..self.row }
    }
}

/// Why batches were not replaced. They are what they were then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotReplaced {
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
    /// There is no room.
    #[error("no space left")]
    NoSpace,
    /// What is left fits into no frame.
    #[error("what is left fits into no frame")]
    TooLarge,
}

impl From<Closed> for NotReplaced {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// The right to replace batches of one stream.
pub(crate) struct Mover<R: Runtime> {
    log: Log<R>,
    stream: StreamId,
    _turn: MoverTurn<R>,
}

impl<R: Runtime> Log<R> {
    /// The parts of `stream` in ended segments, from its first on.
    pub(crate) fn parts(&self, stream: StreamId) -> Vec<Part> {
        self.shared.index.borrow().movable(stream).map(Part::from).collect()
    }

    /// Waits until nobody moves batches.
    pub(crate) async fn mover(&self, stream: StreamId) -> Result<Mover<R>, Closed> {
        let shared = &self.shared;
        poll_fn(|context| {
            if shared.is_closed() {
                return Poll::Ready(Err(Closed));
            }
            if !shared.moving.replace(true) {
                return Poll::Ready(Ok(()));
            }
            shared.movers.register(context);
            Poll::Pending
        })
        .await?;
        let turn = MoverTurn { shared: Rc::clone(shared), wakes_regrouper: true };
        Ok(Mover { log: self.clone(), stream, _turn: turn })
    }
}

impl<R: Runtime> Mover<R> {
    /// The first part that reaches behind `from`, if its segment has ended.
    pub(crate) fn part_behind(&self, from: Offset) -> Option<Part> {
        let index = self.log.shared.index.borrow();
        index.movable_behind(self.stream, from.0).map(Part::from)
    }

    /// The batches of `part`, in order.
    ///
    /// # Errors
    /// [`ReadError`], if the segment's footer does not read.
    pub(crate) async fn rows(&self, part: &Part) -> Result<Vec<PartRow>, ReadError> {
        let shared = &self.log.shared;
        let Movable { segment, generation, base, end, .. } = part.place;
        loop {
            if shared.is_stopped() {
                return Err(ReadError::Closed);
            }
            let rows = shared.footers.borrow().rows(segment, self.stream, base).map(|rows| {
                let of_part = rows.skip_while(|row| row.base < base).take_while(|row| row.base < end);
                of_part.map(|row| PartRow { row }).collect()
            });
            match rows {
                Some(rows) => return Ok(rows),
                None => fetch_footer(shared, segment, generation).await?,
            }
        }
    }

    /// Reads batches of `part`, each with its checksum checked; then gives other work its share of the device.
    ///
    /// # Errors
    /// [`ReadError`], if one of them does not read.
    pub(crate) async fn read(&self, part: &Part, rows: &[PartRow]) -> Result<Vec<ReadBatch<R>>, ReadError> {
        let shared = &self.log.shared;
        let begun = shared.runtime.now();
        let places: Vec<_> = rows.iter().map(|row| (part.place.segment, row.row)).collect();
        let batches = read_rows(shared, &places).await?;
        if batches.len() < rows.len() {
            // What comes behind the last fails by itself.
            read_rows(shared, &places[batches.len()..]).await?;
        }
        Pace { share: shared.options.regroup_share }.rest(shared, begun).await;
        Ok(batches)
    }

    /// Puts entries into one frame and waits until it is committed.
    ///
    /// # Errors
    /// [`NotReplaced`].
    pub(crate) async fn replace(&self, drafts: &[DraftEntry<'_>]) -> Result<(), NotReplaced> {
        let sequence = loop {
            match self.log.append(drafts) {
                Ok(sequence) => break sequence,
                Err(AppendError::Busy) => self.log.ready().await?,
                Err(AppendError::Closed) => return Err(NotReplaced::Closed),
                Err(AppendError::NoSpace) => return Err(NotReplaced::NoSpace),
                Err(AppendError::TooLarge { .. }) => return Err(NotReplaced::TooLarge),
            }
        };
        Ok(self.log.wait_committed(sequence).await?)
    }

    /// Bytes at which a frame is to be closed.
    pub(crate) fn frame_size_target(&self) -> usize {
        self.log.shared.options.frame_size_target
    }
}
