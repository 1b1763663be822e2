//! Names of groups, and the coordinator slots that they fall to.

use std::fmt;

use super::SlotId;
use crate::limits::{COORDINATOR_SLOTS, GROUP_NAME_SIZE_MAX};

/// Name of a group of consumers: 1 to [`GROUP_NAME_SIZE_MAX`] bytes of UTF-8.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GroupName(String);

/// Why a text is not the name of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GroupNameError {
    /// No character at all.
    #[error("a group's name is empty")]
    Empty,
    /// Longer than the limit.
    #[error("a group's name of {size} bytes exceeds the limit of {limit}")]
    TooLong {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

impl GroupName {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`GroupNameError`], if it is not the name of a group.
    pub fn new(name: &str) -> Result<Self, GroupNameError> {
        if name.is_empty() {
            return Err(GroupNameError::Empty);
        }
        if name.len() > GROUP_NAME_SIZE_MAX {
            return Err(GroupNameError::TooLong { size: name.len(), limit: GROUP_NAME_SIZE_MAX });
        }
        Ok(Self(name.to_owned()))
    }

    /// The name's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The coordinator slot that a group of this name falls to: the CRC-32 of the name, modulo their number.
    ///
    /// Source: FORMAT.md, "Groups".
    #[must_use]
    pub fn slot(&self) -> SlotId {
        SlotId((crc32fast::hash(self.0.as_bytes()) as usize % COORDINATOR_SLOTS) as u16)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
