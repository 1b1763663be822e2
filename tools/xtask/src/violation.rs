//! What a check reports.

use std::fmt;

/// One rule broken at one place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// A file relative to the workspace, with `:line` (from 1) where there is one, or a package's name.
    pub place: String,
    /// What is there, and what the rule says.
    pub message: String,
}

impl Violation {
    /// A violation at a file or package as a whole.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }

    /// A violation at one line, counted from 1.
    pub fn at_line(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), message)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}
