//! What the log asks of the state that is built from its frames.

use super::RestoreError;
use super::format::{Entry, FrameHeader};
use crate::model::Sequence;

/// One entry on its way into a frame, with its payload.
#[derive(Clone, Copy, Debug)]
pub struct DraftEntry<'a> {
    /// What the entry says. Position and length are filled in by the log, and so is the checksum (CRC-32),
    /// unless `checksum_kind` is [`CHECKSUM_CRC32C`](super::format::CHECKSUM_CRC32C): then checksum and
    /// `checksum_from` are taken as given.
    pub entry: Entry,
    /// Its payload; may be empty.
    pub payload: &'a [u8],
}

/// A frame that is committed.
#[derive(Clone, Copy, Debug)]
pub struct CommittedFrame<'a> {
    header: &'a FrameHeader,
    entries: &'a [Entry],
    bytes: &'a [u8],
    recovering: bool,
}

impl<'a> CommittedFrame<'a> {
    /// A frame of `bytes` (header, directory and payloads), whose directory holds `entries`. `recovering`: it
    /// is read again at a start; nobody waits for it.
    #[must_use]
    pub fn new(header: &'a FrameHeader, entries: &'a [Entry], bytes: &'a [u8], recovering: bool) -> Self {
        debug_assert_eq!(header.entry_count as usize, entries.len());
        Self { header, entries, bytes, recovering }
    }

    /// Its place in the log's order.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.header.sequence
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> &'a FrameHeader {
        self.header
    }

    /// Its entries, in order.
    #[must_use]
    pub fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// The payload of one of its entries; empty for an entry without one.
    ///
    /// # Panics
    /// If `entry` is not of this frame.
    #[must_use]
    pub fn payload(&self, entry: &Entry) -> &'a [u8] {
        &self.bytes[entry.position as usize..][..entry.length as usize]
    }

    /// Whether the frame is read again at a start, so that nobody waits for it.
    #[must_use]
    pub fn is_recovering(&self) -> bool {
        self.recovering
    }
}

/// State that is a fold over committed frames.
///
/// The log holds it in a `RefCell` and borrows it for one call at a time: nobody else may hold a borrow across
/// an `.await`. From within a call [`Log::append`](super::Log::append) and everything else of the log that is
/// synchronous may be used.
///
/// The log keeps room on the disk for the next checkpoint, by what entries add to it at most: a
/// [`CHECKPOINT_ENTRY_GROWTH`](crate::limits::CHECKPOINT_ENTRY_GROWTH) each, and the size of the payload of any that is no
/// batch; trims and deletes add nothing. Without entries it fits into
/// [`CHECKPOINT_SIZE_MIN`](crate::limits::CHECKPOINT_SIZE_MIN). State that grows faster may find no room for its
/// checkpoint on a full disk.
pub trait StateMachine {
    /// Whether a whole frame that a start found can be taken in: asked before index and state take it.
    ///
    /// # Errors
    /// [`RestoreError`], if an entry says what this program does not know: the log is then not opened, and stays as
    /// it is. Without an answer of its own, a state knows all.
    fn check(&self, frame: &CommittedFrame<'_>) -> Result<(), RestoreError> {
        let _ = frame;
        Ok(())
    }

    /// Takes in one frame: in sequence order, exactly once each; at a start those behind the checkpoint.
    fn apply(&mut self, frame: &CommittedFrame<'_>);

    /// Begins a checkpoint of the state after the last frame applied. An unfinished one is abandoned.
    fn begin_checkpoint(&mut self);

    /// Appends the next slice, one envelope and its archive, to `out`; `false` if there is none left. About
    /// 256 KiB at most.
    ///
    /// Frames are applied between two calls. So a slice must give the same state when the frames since the
    /// beginning are applied to it again: absolute values, and ends that take only what lies beyond them.
    fn next_slice(&mut self, out: &mut Vec<u8>) -> bool;

    /// Takes in one slice of a checkpoint; called before any [`StateMachine::apply`], in the order written.
    ///
    /// # Errors
    /// [`RestoreError`], if the slice does not read; the log is then not opened.
    fn restore_slice(&mut self, bytes: &[u8]) -> Result<(), RestoreError>;
}
