//! The one module that knows the YAML library: from text to a tree, and from a place in the tree to a line.
//!
//! The library keeps no positions. It does say where an error happened, so a place is found by reading the text
//! once more and failing there.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_yaml::Value;

use super::YamlError;
use crate::limits::YAML_DEPTH_MAX;

/// One step from a value to something in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// The value of a key.
    Key(String),
    /// The key itself.
    KeyName(String),
    /// An item of a list.
    Item(usize),
}

/// Reads `text` as one document.
pub(super) fn parse(text: &str) -> Result<Value, YamlError> {
    check_text(text)?;
    serde_yaml::from_str(text).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let message = error.to_string();
        let end = message.rfind(" at line ").unwrap_or(message.len());
        YamlError::at(line, column, &message[..end])
    })
}

/// Refuses what the library has no place or no bound for: control characters other than tab and line end, and very
/// many lists and maps that are begun and not ended.
fn check_text(text: &str) -> Result<(), YamlError> {
    let (mut line, mut column) = (1, 1);
    let mut flow_depth: usize = 0;
    // Behind the indent of a line each of these begins another list or map.
    let (mut is_before_text, mut block_depth) = (true, 0);
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\u{85}') {
            let code = u32::from(character);
            let message =
                format!("control character U+{code:04X}; in double quotes it may be written \\u{code:04x}");
            return Err(YamlError::at(line, column, message));
        }
        match character {
            '[' | '{' => flow_depth += 1,
            ']' | '}' => flow_depth = flow_depth.saturating_sub(1),
            '-' | '?' if is_before_text => block_depth += 1,
            _ => {}
        }
        is_before_text &= matches!(character, ' ' | '-' | '?');
        if flow_depth.max(block_depth) > YAML_DEPTH_MAX {
            return Err(YamlError::at(line, column, "too many lists and maps inside of one another"));
        }
        column += 1;
        if character == '\n' {
            (line, column) = (line + 1, 1);
            (is_before_text, block_depth) = (true, 0);
        }
    }
    Ok(())
}

/// An error at the place that `path` leads to.
pub(super) fn error_at(text: &str, path: &[Turn], message: String) -> YamlError {
    let failed = Probe { path }.deserialize(serde_yaml::Deserializer::from_str(text));
    let location = failed.err().and_then(|error| error.location());
    let (line, column) = location.map_or((1, 1), |at| (at.line(), at.column()));
    YamlError::at(line, column, message)
}

/// Fails where `path` ends.
struct Probe<'a> {
    path: &'a [Turn],
}

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Probe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a place that was there before")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((turn, rest)) = self.path.split_first() else { return Err(A::Error::custom("here")) };
        let wanted_name = if let Turn::KeyName(name) = turn { Some(name.as_str()) } else { None };
        while let Some(key) = map.next_key_seed(KeyProbe { fail_at: wanted_name })? {
            match turn {
                Turn::Key(wanted) if *wanted == key => return map.next_value_seed(Probe { path: rest }),
                _ => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((turn, rest)) = self.path.split_first() else { return Err(A::Error::custom("here")) };
        let Turn::Item(wanted) = turn else { return Err(A::Error::custom("here")) };
        for _ in 0..*wanted {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Probe { path: rest }).map(drop)
    }
}

/// Reads a key as text and fails at the one that is looked for. Whatever else a key may be has no place in a
/// path.
struct KeyProbe<'a> {
    fail_at: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for KeyProbe<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyProbe<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        if self.fail_at == Some(key) { Err(E::custom("here")) } else { Ok(key.to_owned()) }
    }
}
