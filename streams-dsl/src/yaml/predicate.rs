//! Predicates of `filter`, `filter_not` and `branch`.

use super::cursor::{Cursor, Problem};
use crate::limits::YAML_NESTING_MAX;

const NAMES: &[&str] = &[
    "contains",
    "starts_with",
    "ends_with",
    "equals",
    "min_length",
    "max_length",
    "at_least",
    "at_most",
    "key",
    "not",
    "all",
    "any",
];

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject<'a> {
    Text(&'a [u8]),
    Number(i64),
}

/// What values are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ValueKind {
    Text,
    Number,
}

/// A question about a record, answered by [`Predicate::holds`].
#[derive(Clone, Debug)]
pub(super) enum Predicate {
    Contains(Vec<u8>),
    StartsWith(Vec<u8>),
    EndsWith(Vec<u8>),
    Equals(Vec<u8>),
    MinLength(usize),
    MaxLength(usize),
    AtLeast(i64),
    AtMost(i64),
    Key(Box<Predicate>),
    Not(Box<Predicate>),
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
}

impl Predicate {
    /// Reads a predicate on values of `kind`.
    pub(super) fn parse(cursor: &Cursor<'_>, kind: ValueKind) -> Result<Self, Problem> {
        Self::parse_nested(cursor, kind, 1)
    }

    fn parse_nested(cursor: &Cursor<'_>, kind: ValueKind, depth: usize) -> Result<Self, Problem> {
        if depth > YAML_NESTING_MAX {
            return Err(cursor.problem(format!("predicates are nested deeper than {YAML_NESTING_MAX}")));
        }
        let (name, argument) = cursor.one_entry("predicate", NAMES)?;
        let needs = match name {
            "at_least" | "at_most" => Some(ValueKind::Number),
            "key" | "not" | "all" | "any" => None,
            _ => Some(ValueKind::Text),
        };
        if let Some(needs) = needs.filter(|needs| *needs != kind) {
            return Err(cursor.problem_at_key(
                name,
                format!("'{name}' needs {}, but here are {}", needs.name(), kind.name()),
            ));
        }
        let text = || argument.text(name).map(|text| text.as_bytes().to_vec());
        let nested = |kind| Self::parse_nested(&argument, kind, depth + 1).map(Box::new);
        let list = || {
            let items = argument.items(name)?;
            items.iter().map(|item| Self::parse_nested(item, kind, depth + 1)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match name {
            "contains" => Self::Contains(text()?),
            "starts_with" => Self::StartsWith(text()?),
            "ends_with" => Self::EndsWith(text()?),
            "equals" => Self::Equals(text()?),
            "min_length" => Self::MinLength(length(&argument, name)?),
            "max_length" => Self::MaxLength(length(&argument, name)?),
            "at_least" => Self::AtLeast(argument.integer(name)?),
            "at_most" => Self::AtMost(argument.integer(name)?),
            "key" => Self::Key(nested(ValueKind::Text)?),
            "not" => Self::Not(nested(kind)?),
            "all" => Self::All(list()?),
            "any" => Self::Any(list()?),
            _ => unreachable!("every known name is matched"),
        })
    }

    /// Whether it holds for a record. Nothing but its negation holds for a key that is not there.
    pub(super) fn holds(&self, key: Option<&[u8]>, subject: Subject<'_>) -> bool {
        match (self, subject) {
            (Self::Key(inner), _) => key.is_some_and(|key| inner.holds(None, Subject::Text(key))),
            (Self::Not(inner), _) => !inner.holds(key, subject),
            (Self::All(inner), _) => inner.iter().all(|inner| inner.holds(key, subject)),
            (Self::Any(inner), _) => inner.iter().any(|inner| inner.holds(key, subject)),
            (Self::AtLeast(bound), Subject::Number(number)) => number >= *bound,
            (Self::AtMost(bound), Subject::Number(number)) => number <= *bound,
            (_, Subject::Text(text)) => self.holds_for_text(text),
            (_, Subject::Number(_)) => false,
        }
    }

    fn holds_for_text(&self, text: &[u8]) -> bool {
        match self {
            Self::Contains(part) => part.is_empty() || text.windows(part.len()).any(|window| window == part),
            Self::StartsWith(part) => text.starts_with(part),
            Self::EndsWith(part) => text.ends_with(part),
            Self::Equals(whole) => text == whole,
            Self::MinLength(bound) => text.len() >= *bound,
            Self::MaxLength(bound) => text.len() <= *bound,
            _ => false,
        }
    }
}

impl ValueKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text values",
            Self::Number => "numbers",
        }
    }
}

fn length(argument: &Cursor<'_>, name: &str) -> Result<usize, Problem> {
    let number = argument.integer(name)?;
    usize::try_from(number).map_err(|_| argument.problem(format!("{name} must not be negative")))
}
