//! Records as JSON, one object a line.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
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

/// A value that is an object of JSON: a structure alone may be a list as well.
struct Object<T>(T);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: Option<Given>,
    key_base64: Option<String>,
    key_hex: Option<String>,
    value: Option<Given>,
    value_base64: Option<String>,
    value_hex: Option<String>,
    #[serde(default)]
    headers: Vec<Object<HeaderOfLine>>,
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
    value: Option<Given>,
    value_base64: Option<String>,
    value_hex: Option<String>,
}

/// The bytes of a text, or of a number.
struct Given(Vec<u8>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Map(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;
        impl Visitor<'_> for TextOrNumber {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a whole number of 64 bits")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Given, E> {
                Ok(Given(text.as_bytes().to_vec()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Given, E> {
                Ok(Given(text.into_bytes()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Given, E> {
                Ok(Given(number.to_be_bytes().to_vec()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Given, E> {
                match i64::try_from(number) {
                    Ok(number) => self.visit_i64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(TextOrNumber)
    }
}

impl JsonRecord {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let line: Result<Object<Line>, _> = serde_json::from_slice(line);
        let Object(line) = line.map_err(|error| format!("no such record: {error}"))?;
        let header = |Object(header): Object<HeaderOfLine>| {
            let value = bytes("value", header.value, header.value_base64, header.value_hex)?;
            Ok(Header { name: header.name, value })
        };
        Ok(Self {
            key: bytes("key", line.key, line.key_base64, line.key_hex)?,
            value: bytes("value", line.value, line.value_base64, line.value_hex)?,
            headers: line.headers.into_iter().map(header).collect::<Result<_, String>>()?,
            timestamp: line.timestamp.map(Timestamp),
        })
    }
}

/// Bytes given as they are, in base64 or in hex digits.
fn bytes(
    name: &str,
    given: Option<Given>,
    base64: Option<String>,
    hex: Option<String>,
) -> Result<Option<Vec<u8>>, String> {
    let ways = [("", given.is_some()), ("_base64", base64.is_some()), ("_hex", hex.is_some())];
    let mut ways = ways.iter().filter(|(_, is_given)| *is_given);
    if let (Some((first, _)), Some((second, _))) = (ways.next(), ways.next()) {
        return Err(format!("both '{name}{first}' and '{name}{second}'"));
    }
    if let Some(text) = base64 {
        let decoded = STANDARD.decode(&text);
        return decoded.map(Some).map_err(|error| format!("'{name}_base64' is no base64: {error}"));
    }
    if let Some(text) = hex {
        let pairs = text.as_bytes().chunks(2).map(|pair| {
            let [high, low] = pair.try_into().ok()?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            Some((digit(high)? << 4 | digit(low)?) as u8)
        });
        let decoded: Option<Vec<u8>> = pairs.collect();
        return decoded.map(Some).ok_or_else(|| format!("'{name}_hex' is not pairs of hex digits"));
    }
    Ok(given.map(|Given(bytes)| bytes))
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
        for list in ["[]", r#"["a", null, "b"]"#, r#"{"headers": [["a", "b"]]}"#] {
            assert!(refused(list).contains("expected an object"), "{list}: {}", refused(list));
        }
        for hex in ["6", "6g", "é"] {
            let line = format!(r#"{{"key_hex": "{hex}"}}"#);
            assert_eq!(refused(&line), "'key_hex' is not pairs of hex digits");
        }
        for number in ["1.5", "9223372036854775808", "true", "{}"] {
            let reason = refused(&format!(r#"{{"value": {number}}}"#));
            assert!(reason.contains("expected a text, or a whole number of 64 bits"), "{number}: {reason}");
        }
        assert_eq!(refused(r#"{"key": 1, "key_hex": "61"}"#), "both 'key' and 'key_hex'");
        assert_eq!(refused(r#"{"key": "a", "key_base64": "YQ=="}"#), "both 'key' and 'key_base64'");
        assert!(refused(r#"{"value_base64": "?"}"#).starts_with("'value_base64' is no base64: "));
    }
}
