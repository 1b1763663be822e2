//! Damage, and what it costs.

use std::fmt;
use std::path::PathBuf;

use crate::limits::{FINDINGS_MAX, LOST_PARTS_MAX};
use crate::model::{Offset, Sequence, StreamId};

/// One damage: bytes that are not what was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where in it. Bytes.
    pub position: u64,
    /// What does not fit.
    pub what: String,
    /// What it costs.
    pub loss: Loss,
}

/// What a damage costs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Loss {
    /// Nothing: it can be told from elsewhere, or nobody needs it any more.
    Nothing,
    /// Reads of these batches fail; everything else is served.
    Parts {
        /// By stream and offset; at most [`LOST_PARTS_MAX`].
        parts: Vec<LostPart>,
        /// How many more there are.
        more: u64,
    },
    /// This frame and all behind it, which were acknowledged. The log does not open, unless that is accepted.
    FramesFrom(Sequence),
    /// The log does not open.
    Log,
}

/// A part of a stream.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LostPart {
    /// The stream.
    pub stream: StreamId,
    /// First offset lost.
    pub from: Offset,
    /// Offset behind the last one lost.
    pub to: Offset,
}

impl Loss {
    /// The loss of `parts`; [`Loss::Nothing`] for none.
    pub(super) fn of(parts: Vec<(StreamId, Offset, Offset)>) -> Self {
        if parts.is_empty() {
            return Self::Nothing;
        }
        let mut merged: Vec<LostPart> = Vec::new();
        let mut more = 0;
        for (stream, from, to) in parts {
            let full = merged.len() == LOST_PARTS_MAX;
            match merged.last_mut() {
                Some(last) if last.stream == stream && last.to == from && more == 0 => last.to = to,
                _ if !full => merged.push(LostPart { stream, from, to }),
                _ => more += 1,
            }
        }
        Self::Parts { parts: merged, more }
    }

    /// Whether something can no longer be read.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        *self != Self::Nothing
    }
}

impl fmt::Display for LostPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (last, of) = (self.to.0.saturating_sub(1), self.stream);
        match of.outbox_target() {
            Some(target) => write!(f, "batches {} to {last} for shard {target}", self.from),
            None => write!(f, "offsets {} to {last} of partition {of}", self.from),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing is lost"),
            Self::Parts { parts, more } => {
                f.write_str("lost: ")?;
                for (index, part) in parts.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{part}")?;
                }
                if *more > 0 {
                    write!(f, ", and {more} more parts")?;
                }
                f.write_str("; the rest is served")
            }
            Self::FramesFrom(first) => write!(f, "lost: frame {first} and all behind it"),
            Self::Log => f.write_str("lost: the log does not open"),
        }
    }
}

/// Damages, up to a bound.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings {
    list: Vec<Finding>,
    more: u64,
}

impl Findings {
    /// In the order found; at most [`FINDINGS_MAX`].
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.list.len() as u64 + self.more
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Adds one, unless there is one of the same place: what was found first says more.
    pub(crate) fn push(&mut self, finding: Finding) {
        let known = |other: &Finding| (&other.file, other.position) == (&finding.file, finding.position);
        if self.list.iter().any(known) {
            return;
        }
        if self.list.len() == FINDINGS_MAX {
            self.more += 1;
            return;
        }
        self.list.push(finding);
    }

    /// What was found in `file`, to be told more about.
    pub(super) fn in_file(&mut self, file: &std::path::Path) -> Option<&mut Finding> {
        self.list.iter_mut().find(|finding| finding.file == file)
    }
}
