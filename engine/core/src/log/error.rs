//! Why operations of a log were refused.

use std::path::PathBuf;

use thalweg_archive::ArchiveError;

use crate::io::DiskError;
use crate::log::format::LogOwner;
use crate::model::{Offset, Position, SegmentId, Sequence};

/// The log was closed, or closed itself after a failed write or flush of a frame. Whether what was waited for
/// is durable is then not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the log is closed")]
pub struct Closed;

/// Why [`Log::append`](super::Log::append) refused. On every variant, nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// The entries do not fit into one frame.
    #[error("a frame of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Bytes that the frame would have.
        size: usize,
        /// Bytes of the largest frame.
        limit: usize,
    },
    /// The device does not keep up. [`Log::ready`](super::Log::ready) says when to try again.
    #[error("the device does not keep up")]
    Busy,
    /// There is no room for another segment, and none will come by itself: nothing that is dead waits to be used again.
    #[error("no room for another segment")]
    NoSpace,
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

/// Why [`Log::read`](super::Log::read) returned nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The log holds nothing of this stream.
    #[error("the log does not hold this stream")]
    UnknownStream,
    /// The offset lies outside of what is committed and kept.
    #[error("offset outside of {start} to {end}")]
    OutOfRange {
        /// First offset kept.
        start: Offset,
        /// Offset behind the last one committed.
        end: Offset,
    },
    /// What is on the disk is not what was written.
    #[error("segment {segment} is damaged at byte {position}: {what}")]
    Damaged {
        /// Segment file.
        segment: SegmentId,
        /// Where in the file.
        position: Position,
        /// What does not fit.
        what: &'static str,
    },
    /// The disk refused.
    #[error("a segment could not be read")]
    Disk {
        /// What the disk answered.
        #[source]
        source: DiskError,
    },
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

/// Why a slice of a checkpoint, or a frame behind it, could not be taken in.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// The slice is of a type that this program does not know.
    #[error("slice of unknown type {kind}, version {version}")]
    Unknown {
        /// Type in the envelope.
        kind: u16,
        /// Version in the envelope.
        version: u16,
    },
    /// An entry of a frame is of a kind that this program does not know.
    #[error("an entry of unknown kind {kind}: a newer version of the program wrote it")]
    UnknownEntry {
        /// Number of the kind.
        kind: u16,
    },
    /// An entry of a frame that has its checksum does not read.
    #[error("an entry of kind {kind} does not read: {what}; another version of the program wrote it")]
    UnreadEntry {
        /// Number of the kind.
        kind: u16,
        /// What does not fit.
        what: String,
    },
    /// The slice does not read as an archive.
    #[error("slice does not read")]
    Archive {
        /// What the archive says.
        #[source]
        source: ArchiveError,
    },
    /// The slice contradicts the others.
    #[error("slice contradicts itself or others: {what}")]
    Contradiction {
        /// The first contradiction.
        what: &'static str,
    },
}

impl From<ArchiveError> for RestoreError {
    fn from(source: ArchiveError) -> Self {
        Self::Archive { source }
    }
}

/// Why a checkpoint was not made. The one before it stays in force.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// The disk refused.
    #[error("a checkpoint could not be written")]
    Disk {
        /// What the disk answered.
        #[source]
        source: DiskError,
    },
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

/// Why a log could not be opened. Nothing on disk was changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// The options contradict their limits.
    #[error("options: {what}")]
    Options {
        /// The first contradiction.
        what: &'static str,
    },
    /// What durable state says was acknowledged can no longer be read.
    #[error("{file:?} is damaged at byte {position}: {what}")]
    Damaged {
        /// File.
        file: PathBuf,
        /// Where in the file.
        position: u64,
        /// First frame that is lost; 0 where no frame is concerned.
        sequence: Sequence,
        /// What was found, and why it is not a torn tail.
        what: String,
    },
    /// The log was written by a newer version of the program.
    #[error("{file:?} was written by a newer version: format {found}; this program reads up to {known}")]
    NewerVersion {
        /// File.
        file: PathBuf,
        /// Version found.
        found: u16,
        /// Newest version known.
        known: u16,
    },
    /// The log was there once, and is no longer.
    #[error(
        "{folder:?} holds no log, although the data folder was complete: is it a device that is not mounted?"
    )]
    Lost {
        /// Where the log was.
        folder: PathBuf,
    },
    /// The log is another's.
    #[error("{file:?} is of shard {} of data folder {:016x}; here belongs shard {} of {:016x}",
            found.shard.0, found.folder.0, expected.shard.0, expected.folder.0)]
    Foreign {
        /// Superblock file.
        file: PathBuf,
        /// Whose it is.
        found: LogOwner,
        /// Whose log belongs there.
        expected: LogOwner,
    },
    /// A slice of the checkpoint, or a frame behind it, was refused by the state that it belongs to.
    #[error("{file:?} at byte {position} does not restore")]
    Restore {
        /// Checkpoint file, or segment.
        file: PathBuf,
        /// Where in the file.
        position: u64,
        /// Why.
        #[source]
        source: RestoreError,
    },
    /// The disk refused.
    #[error(transparent)]
    Disk {
        /// What the disk answered.
        #[from]
        source: DiskError,
    },
}
