//! The stream that a step goes on from.

use super::predicate::{Predicate, Subject, ValueKind};
use crate::builder::{GroupedStream, KStream};
use crate::serdes::{Bytes, I64};
use crate::text::{each_unicode_word_of_bytes, words};

/// A stream of either kind.
#[derive(Clone, Debug)]
pub(super) enum Flow {
    Text(KStream<Bytes, Bytes>),
    Numbers(KStream<Bytes, I64>),
}

/// A grouped stream of either kind.
pub(super) enum Grouped {
    Text(GroupedStream<Bytes, Bytes>),
    Numbers(GroupedStream<Bytes, I64>),
}

impl Flow {
    pub(super) fn kind(&self) -> ValueKind {
        match self {
            Self::Text(_) => ValueKind::Text,
            Self::Numbers(_) => ValueKind::Number,
        }
    }

    pub(super) fn filter(&self, predicate: Predicate, keep: bool) -> Self {
        match self {
            Self::Text(stream) => Self::Text(
                stream.filter(move |key, value| predicate.holds(key, Subject::Text(value)) == keep),
            ),
            Self::Numbers(stream) => Self::Numbers(
                stream.filter(move |key, value| predicate.holds(key, Subject::Number(*value)) == keep),
            ),
        }
    }

    /// One stream per predicate, and what is left.
    pub(super) fn split(&self, predicates: Vec<Predicate>) -> (Vec<Self>, Self) {
        match self {
            Self::Text(stream) => {
                let mut split = stream.split();
                let branch = |predicate: Predicate| {
                    Self::Text(split.branch(move |key, value| predicate.holds(key, Subject::Text(value))))
                };
                let branches = predicates.into_iter().map(branch).collect();
                (branches, Self::Text(split.default_branch()))
            }
            Self::Numbers(stream) => {
                let mut split = stream.split();
                let branch = |predicate: Predicate| {
                    Self::Numbers(
                        split.branch(move |key, value| predicate.holds(key, Subject::Number(*value))),
                    )
                };
                let branches = predicates.into_iter().map(branch).collect();
                (branches, Self::Numbers(split.default_branch()))
            }
        }
    }

    /// The records of both; nothing if they are not of one kind.
    pub(super) fn merge(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => Some(Self::Text(one.merge(other))),
            (Self::Numbers(one), Self::Numbers(other)) => Some(Self::Numbers(one.merge(other))),
            _ => None,
        }
    }

    pub(super) fn to(&self, topic: &str) {
        match self {
            Self::Text(stream) => stream.to(topic),
            Self::Numbers(stream) => stream.to(topic),
        }
    }

    pub(super) fn group_by_key(&self) -> Grouped {
        match self {
            Self::Text(stream) => Grouped::Text(stream.group_by_key()),
            Self::Numbers(stream) => Grouped::Numbers(stream.group_by_key()),
        }
    }
}

impl Grouped {
    pub(super) fn count(&self, store: &str) -> Flow {
        Flow::Numbers(match self {
            Self::Text(grouped) => grouped.count(store).to_stream(),
            Self::Numbers(grouped) => grouped.count(store).to_stream(),
        })
    }

    /// `function`: one of those that [`Grouped::functions`] names.
    pub(super) fn reduce(&self, store: &str, function: &str) -> Flow {
        match self {
            Self::Text(grouped) => Flow::Text(
                match function {
                    "first" => grouped.reduce(store, |before, _| before.to_vec()),
                    "min" => grouped.reduce(store, |before, value| before.min(value).to_vec()),
                    "max" => grouped.reduce(store, |before, value| before.max(value).to_vec()),
                    _ => grouped.reduce(store, |_, value| value.to_vec()),
                }
                .to_stream(),
            ),
            Self::Numbers(grouped) => Flow::Numbers(
                match function {
                    "first" => grouped.reduce(store, |before, _| *before),
                    "min" => grouped.reduce(store, |before, value| *before.min(value)),
                    "max" => grouped.reduce(store, |before, value| *before.max(value)),
                    "sum" => grouped.reduce(store, |before, value| before.saturating_add(*value)),
                    _ => grouped.reduce(store, |_, value| *value),
                }
                .to_stream(),
            ),
        }
    }

    pub(super) fn functions(&self) -> &'static [&'static str] {
        match self {
            Self::Text(_) => &["first", "last", "min", "max"],
            Self::Numbers(_) => &["first", "last", "min", "max", "sum"],
        }
    }
}

/// Names of flat maps.
pub(super) const FLAT_MAPS: &[&str] = &["words", "unicode_words", "lines"];

/// `name`: one of [`FLAT_MAPS`].
pub(super) fn flat_map(stream: &KStream<Bytes, Bytes>, name: &str) -> KStream<Bytes, Bytes> {
    match name {
        "words" => stream.flat_map_values(words()),
        "unicode_words" => stream.flat_map_values::<Bytes>(|value, out| {
            each_unicode_word_of_bytes(value, &mut |word| out.emit(word.as_bytes()));
        }),
        _ => stream.flat_map_values::<Bytes>(|value, out| {
            let text = value.strip_suffix(b"\n").unwrap_or(value);
            for line in text.split(|byte| *byte == b'\n') {
                out.emit(line.strip_suffix(b"\r").unwrap_or(line));
            }
        }),
    }
}

/// Names of maps of values.
pub(super) const MAPS: &[&str] = &["lowercase", "uppercase", "trim", "text"];

/// `name`: one of [`MAPS`] but `text`, which is for numbers.
pub(super) fn map_values(stream: &KStream<Bytes, Bytes>, name: &str) -> KStream<Bytes, Bytes> {
    match name {
        "lowercase" => stream.map_values::<Bytes>(|value| match std::str::from_utf8(value) {
            Ok(text) => text.to_lowercase().into_bytes(),
            Err(_) => value.to_ascii_lowercase(),
        }),
        "uppercase" => stream.map_values::<Bytes>(|value| match std::str::from_utf8(value) {
            Ok(text) => text.to_uppercase().into_bytes(),
            Err(_) => value.to_ascii_uppercase(),
        }),
        _ => stream.map_values_ref::<Bytes>(<[u8]>::trim_ascii),
    }
}
