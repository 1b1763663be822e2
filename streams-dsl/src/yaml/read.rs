//! The one module that knows the YAML library: from text to values with their places.
//!
//! The library gives one event after the other, so that what exceeds a limit is refused where it begins, before
//! anything behind it is looked at.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::YamlError;
use super::node::{Node, Place, Value};
use crate::limits::{YAML_DEPTH_MAX, YAML_NODES_MAX};

/// What the library says of flow lists and maps in more than 255 others.
const LIBRARY_TOO_DEEP: &str = "recursion limit exceeded";

/// Reads `text` as one document.
pub(super) fn read(text: &str) -> Result<Node, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_characters(text)?;
    let parser = Parser::new_from_str(text);
    let mut reader = Reader { parser, anchors: BTreeMap::new(), nodes: 0 };
    let start = Place { line: 1, column: 1 };
    let mut document = None;
    loop {
        let (event, place) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(_) if document.is_some() => {
                return Err(YamlError::at(place, "a topology file is one document, here begins another"));
            }
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => document = Some(reader.node(event, place, 0)?),
        }
    }
    Ok(document.unwrap_or(Node { place: start, value: Value::Other }))
}

/// YAML has no control characters but tab and line end.
fn check_characters(text: &str) -> Result<(), YamlError> {
    let mut place = Place { line: 1, column: 1 };
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\u{85}') {
            let code = u32::from(character);
            let message =
                format!("control character U+{code:04X}; in double quotes it may be written \\u{code:04x}");
            return Err(YamlError::at(place, message));
        }
        place = match character {
            '\n' => Place { line: place.line + 1, column: 1 },
            _ => Place { line: place.line, column: place.column + 1 },
        };
    }
    Ok(())
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Values that were given a name, and how deep they are.
    anchors: BTreeMap<usize, (Node, usize)>,
    /// Values so far, copies of named ones included.
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), YamlError> {
        match self.parser.next_event() {
            Some(Ok((event, Span { start, .. }))) => Ok((event, place(&start))),
            // The library looks a little ahead, and has a limit of its own for that.
            Some(Err(error)) if error.info() == LIBRARY_TOO_DEEP => Err(too_deep(place(error.marker()))),
            Some(Err(error)) => Err(YamlError::at(place(error.marker()), error.info())),
            None => Ok((Event::StreamEnd, Place { line: 1, column: 1 })),
        }
    }

    /// The value that begins with `event`, inside of `depth` lists and maps.
    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Node, YamlError> {
        self.count(1, place)?;
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if tag {
            return Err(YamlError::at(place, "tags have no meaning in a topology file"));
        }
        let is_nested = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
        if is_nested && depth == YAML_DEPTH_MAX {
            return Err(too_deep(place));
        }
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) => Value::of_plain(&text),
            Event::Scalar(text, ..) => Value::Text(text.into_owned()),
            Event::SequenceStart(..) => self.list(depth + 1)?,
            Event::MappingStart(..) => self.map(depth + 1)?,
            Event::Alias(anchor) => return self.copy(anchor, place, depth),
            _ => return Err(YamlError::at(place, "a value is missing")),
        };
        let node = Node { place, value };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), height(&node)));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, place) => items.push(self.node(event, place, depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, YamlError> {
        let (mut entries, mut keys) = (Vec::new(), BTreeSet::new());
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                (event, place) => self.node(event, place, depth)?,
            };
            if let Value::Text(text) = &key.value
                && !keys.insert(text.clone())
            {
                return Err(YamlError::at(key.place, format!("key '{text}' is there twice")));
            }
            let (event, place) = self.next()?;
            entries.push((key, self.node(event, place, depth)?));
        }
    }

    /// A copy of the value named `anchor`, at the place where it is used.
    fn copy(&mut self, anchor: usize, place: Place, depth: usize) -> Result<Node, YamlError> {
        let Some((node, height)) = self.anchors.get(&anchor) else {
            return Err(YamlError::at(place, "this names a value that is not complete"));
        };
        if depth + height > YAML_DEPTH_MAX {
            return Err(too_deep(place));
        }
        let mut copy = node.clone();
        self.count(size(&copy), place)?;
        copy.place = place;
        Ok(copy)
    }

    fn count(&mut self, more: usize, place: Place) -> Result<(), YamlError> {
        self.nodes += more;
        if self.nodes > YAML_NODES_MAX {
            return Err(YamlError::at(place, format!("more than {YAML_NODES_MAX} values")));
        }
        Ok(())
    }
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

fn too_deep(place: Place) -> YamlError {
    YamlError::at(place, format!("lists and maps are nested deeper than {YAML_DEPTH_MAX}"))
}

/// The values directly inside of `node`.
fn inner(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
        Value::Text(_) | Value::Integer(_) | Value::Other => Vec::new(),
    }
}

/// How many lists and maps deep `node` is, itself included.
fn height(node: &Node) -> usize {
    let is_nested = matches!(node.value, Value::List(_) | Value::Map(_));
    usize::from(is_nested) + inner(node).into_iter().map(height).max().unwrap_or(0)
}

/// How many values `node` is made of.
fn size(node: &Node) -> usize {
    1 + inner(node).into_iter().map(size).sum::<usize>()
}
