//! Records as JSON, one object a line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use thalweg_engine::model::{Header, Timestamp};

/// A record as a line of JSON says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonRecord {
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Its value, if it has one.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<Header>,
    /// Its time, if the line says one.
    pub timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    #[serde(default)]
    headers: Vec<HeaderOfLine>,
    timestamp: Option<i64>,
    /// Where `consume --json` found it; it is given another place.
    #[serde(rename = "partition")]
    _partition: Option<IgnoredAny>,
    #[serde(rename = "offset")]
    _offset: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderOfLine {
    name: String,
    value: Option<String>,
    value_base64: Option<String>,
}

impl JsonRecord {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let line: Line = serde_json::from_slice(line).map_err(|error| format!("no such record: {error}"))?;
        let header = |header: HeaderOfLine| {
            let value = bytes("value", header.value, header.value_base64)?;
            Ok(Header { name: header.name, value })
        };
        Ok(Self {
            key: bytes("key", line.key, line.key_base64)?,
            value: bytes("value", line.value, line.value_base64)?,
            headers: line.headers.into_iter().map(header).collect::<Result<_, String>>()?,
            timestamp: line.timestamp.map(Timestamp),
        })
    }
}

/// Bytes given as text or in base64.
fn bytes(name: &str, text: Option<String>, base64: Option<String>) -> Result<Option<Vec<u8>>, String> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(format!("both '{name}' and '{name}_base64'")),
        (Some(text), None) => Ok(Some(text.into_bytes())),
        (None, Some(text)) => match STANDARD.decode(&text) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(format!("'{name}_base64' is no base64: {error}")),
        },
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all_of_a_record() {
        let line = br#"{"partition": 3, "offset": 9, "key": "k", "value_base64": "AP8K", "timestamp": -7,
            "headers": [{"name": "a", "value": "x"}, {"name": "b", "value_base64": "gA=="}, {"name": "c"}]}"#;
        let header = |name: &str, value: Option<&[u8]>| Header {
            name: name.to_owned(),
            value: value.map(<[u8]>::to_vec),
        };
        let expected = JsonRecord {
            key: Some(b"k".to_vec()),
            value: Some(b"\x00\xff\n".to_vec()),
            headers: vec![header("a", Some(b"x")), header("b", Some(b"\x80")), header("c", None)],
            timestamp: Some(Timestamp(-7)),
        };
        assert_eq!(JsonRecord::parse(line), Ok(expected));
        assert_eq!(JsonRecord::parse(br#"{"key": null}"#), Ok(JsonRecord::default()));
    }

    #[test]
    fn what_is_no_record_is_refused_with_its_reason() {
        let refused = |line: &str| JsonRecord::parse(line.as_bytes()).unwrap_err();
        assert!(
            refused(r#"{"vlaue": "x"}"#).contains("unknown field `vlaue`"),
            "{}",
            refused(r#"{"vlaue": "x"}"#)
        );
        assert!(refused("x").contains("no such record: "));
        assert_eq!(refused(r#"{"key": "a", "key_base64": "YQ=="}"#), "both 'key' and 'key_base64'");
        assert!(refused(r#"{"value_base64": "?"}"#).starts_with("'value_base64' is no base64: "));
    }
}
