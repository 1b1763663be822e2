//! Looking at the values of a file.

use super::YamlError;
use super::node::{Node, Value};
use super::suggest::unknown;

/// What is wrong, and where.
pub(super) type Problem = YamlError;

/// A value of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(&'a Node);

impl<'a> Cursor<'a> {
    pub(super) fn new(node: &'a Node) -> Self {
        Self(node)
    }

    /// `message`, said of this place.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        YamlError::at(self.0.place, message)
    }

    /// `message`, said of a key in this map.
    pub(super) fn problem_at_key(&self, key: &str, message: String) -> Problem {
        let Value::Map(entries) = &self.0.value else { return self.problem(message) };
        let names = |(name, _): &&(Node, Node)| matches!(&name.value, Value::Text(text) if text == key);
        let place = entries.iter().find(names).map_or(self.0.place, |(name, _)| name.place);
        YamlError::at(place, message)
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.0.value, Value::Map(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.0.value, Value::List(_))
    }

    /// The entries of a map, whose keys are all text. `what`: what this value is, for errors.
    pub(super) fn entries(&self, what: &str) -> Result<Vec<(&'a str, Self)>, Problem> {
        let Value::Map(entries) = &self.0.value else {
            return Err(self.problem(format!("{what} must be a map")));
        };
        let entry = |(key, value): &'a (Node, Node)| match &key.value {
            Value::Text(text) => Ok((text.as_str(), Self(value))),
            _ => {
                Err(YamlError::at(key.place, format!("the keys of {what} must be text; put them in quotes")))
            }
        };
        entries.iter().map(entry).collect()
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
        let Value::List(items) = &self.0.value else {
            return Err(self.problem(format!("{what} must be a list")));
        };
        Ok(items.iter().map(Self).collect())
    }

    /// The items of a list, or the one value that stands for a list of one.
    pub(super) fn items_or_one(&self, what: &str) -> Result<Vec<Self>, Problem> {
        if self.is_list() { self.items(what) } else { Ok(vec![*self]) }
    }

    pub(super) fn text(&self, what: &str) -> Result<&'a str, Problem> {
        match &self.0.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.problem(format!("{what} must be text; put it in quotes"))),
        }
    }

    /// Text that is one of `known`.
    pub(super) fn choice(&self, what: &str, known: &[&str]) -> Result<&'a str, Problem> {
        let text = self.text(what)?;
        if known.contains(&text) { Ok(text) } else { Err(self.problem(unknown(what, text, known))) }
    }

    pub(super) fn integer(&self, what: &str) -> Result<i64, Problem> {
        match self.0.value {
            Value::Integer(number) => Ok(number),
            _ => Err(self.problem(format!("{what} must be an integer"))),
        }
    }

    /// Text, or an integer in decimal.
    pub(super) fn text_or_integer(&self, what: &str) -> Result<String, Problem> {
        match &self.0.value {
            Value::Text(text) => Ok(text.clone()),
            Value::Integer(number) => Ok(number.to_string()),
            _ => Err(self.problem(format!("{what} must be text or an integer"))),
        }
    }
}
