//! Topic names.

use std::fmt;

use crate::limits::TOPIC_NAME_SIZE_MAX;

/// Name of a topic: 1 to [`TOPIC_NAME_SIZE_MAX`] characters of `[a-zA-Z0-9._-]`, neither `.` nor `..`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicName(String);

/// Why a text is not a topic name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// No character at all.
    #[error("a topic name is empty")]
    Empty,
    /// Longer than the limit.
    #[error("a topic name of {size} bytes exceeds the limit of {limit}")]
    TooLong {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A character outside `[a-zA-Z0-9._-]`.
    #[error("a topic name holds {character:?}; allowed are letters, digits, '.', '_' and '-'")]
    Character {
        /// The first such character.
        character: char,
    },
    /// `.` or `..`.
    #[error("'.' and '..' are not topic names")]
    Dots,
}

impl TopicName {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`NameError`], if it is not a topic name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > TOPIC_NAME_SIZE_MAX {
            return Err(NameError::TooLong { size: name.len(), limit: TOPIC_NAME_SIZE_MAX });
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(character) = name.chars().find(|c| !allowed(c)) {
            return Err(NameError::Character { character });
        }
        if name == "." || name == ".." {
            return Err(NameError::Dots);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
