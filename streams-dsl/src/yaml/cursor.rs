//! A value of the file together with the way to it.

use serde_yaml::{Mapping, Value};

use super::locate::Turn;
use super::suggest::unknown;

/// What is wrong, and the way to where.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) path: Vec<Turn>,
    pub(super) message: String,
}

/// A place in the file.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    value: &'a Value,
    path: Vec<Turn>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(value: &'a Value) -> Self {
        Self { value, path: Vec::new() }
    }

    /// `message`, said of this place.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), message: message.into() }
    }

    fn at(&self, value: &'a Value, turn: Turn) -> Self {
        let mut path = self.path.clone();
        path.push(turn);
        Self { value, path }
    }

    /// `message`, said of a key in this map.
    pub(super) fn problem_at_key(&self, key: &str, message: String) -> Problem {
        self.at(self.value, Turn::KeyName(key.to_owned())).problem(message)
    }

    pub(super) fn is_map(&self) -> bool {
        self.value.is_mapping()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.is_sequence()
    }

    /// The entries of a map, whose keys are all text. `what`: what this value is, for errors.
    pub(super) fn entries(&self, what: &str) -> Result<Vec<(&'a str, Self)>, Problem> {
        let Value::Mapping(mapping) = self.value else {
            return Err(self.problem(format!("{what} must be a map")));
        };
        self.text_entries(what, mapping)
    }

    fn text_entries(&self, what: &str, mapping: &'a Mapping) -> Result<Vec<(&'a str, Self)>, Problem> {
        let entry = |(key, value): (&'a Value, &'a Value)| match key.as_str() {
            Some(key) => Ok((key, self.at(value, Turn::Key(key.to_owned())))),
            None => Err(self.problem(format!("the keys of {what} must be text; put them in quotes"))),
        };
        mapping.iter().map(entry).collect()
    }

    /// The entries of a map whose keys are all among `known`.
    pub(super) fn known_entries(&self, what: &str, known: &[&str]) -> Result<Vec<(&'a str, Self)>, Problem> {
        let entries = self.entries(what)?;
        for (key, _) in &entries {
            if !known.contains(key) {
                return Err(self.problem_at_key(key, unknown(&format!("key of {what}"), key, known)));
            }
        }
        Ok(entries)
    }

    /// The one entry of a map of one, whose key is among `known`.
    pub(super) fn one_entry(&self, what: &str, known: &[&str]) -> Result<(&'a str, Self), Problem> {
        let entries = self.entries(what)?;
        for (key, _) in &entries {
            if !known.contains(key) {
                return Err(self.problem_at_key(key, unknown(what, key, known)));
            }
        }
        match <[_; 1]>::try_from(entries) {
            Ok([entry]) => Ok(entry),
            Err(entries) => {
                Err(self.problem(format!("a {what} has one key, this one has {}", entries.len())))
            }
        }
    }

    /// The items of a list.
    pub(super) fn items(&self, what: &str) -> Result<Vec<Self>, Problem> {
        let Value::Sequence(items) = self.value else {
            return Err(self.problem(format!("{what} must be a list")));
        };
        Ok(items.iter().enumerate().map(|(at, item)| self.at(item, Turn::Item(at))).collect())
    }

    /// The items of a list, or the one value that stands for a list of one.
    pub(super) fn items_or_one(&self, what: &str) -> Result<Vec<Self>, Problem> {
        if self.is_list() { self.items(what) } else { Ok(vec![self.clone()]) }
    }

    pub(super) fn text(&self, what: &str) -> Result<&'a str, Problem> {
        self.value.as_str().ok_or_else(|| self.problem(format!("{what} must be text; put it in quotes")))
    }

    /// Text that is one of `known`.
    pub(super) fn choice(&self, what: &str, known: &[&str]) -> Result<&'a str, Problem> {
        let text = self.text(what)?;
        if known.contains(&text) { Ok(text) } else { Err(self.problem(unknown(what, text, known))) }
    }

    pub(super) fn integer(&self, what: &str) -> Result<i64, Problem> {
        self.value.as_i64().ok_or_else(|| self.problem(format!("{what} must be an integer")))
    }

    /// Text, or an integer in decimal.
    pub(super) fn text_or_integer(&self, what: &str) -> Result<String, Problem> {
        match (self.value.as_str(), self.value.as_i64()) {
            (Some(text), _) => Ok(text.to_owned()),
            (None, Some(number)) => Ok(number.to_string()),
            (None, None) => Err(self.problem(format!("{what} must be text or an integer"))),
        }
    }
}
