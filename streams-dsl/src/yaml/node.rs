//! The values of a file, each with its place.

/// A place in the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// From 1. Characters.
    pub(super) column: usize,
}

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What a topology file is made of.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    /// Something that has no use in a topology file: nothing, a truth value, a fraction.
    Other,
    List(Vec<Node>),
    /// Its keys are all different, as far as they are text.
    Map(Vec<(Node, Node)>),
}

/// Most characters of an integer: a sign and 64 bits.
const INTEGER_LENGTH_MAX: usize = 20;

impl Value {
    /// What text without quotes means.
    pub(super) fn of_plain(text: &str) -> Self {
        let is_other = |text: &str| {
            matches!(text, "" | "~" | "null" | "Null" | "NULL" | "true" | "True" | "TRUE")
                || matches!(text, "false" | "False" | "FALSE")
        };
        if is_other(text) {
            return Self::Other;
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let is_decimal = unsigned == "0" || unsigned.starts_with(|first: char| matches!(first, '1'..='9'));
        if is_decimal
            && text.len() <= INTEGER_LENGTH_MAX
            && let Ok(number) = text.parse()
        {
            return Self::Integer(number);
        }
        let is_special = matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN");
        let is_number = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
            && unsigned.parse::<f64>().is_ok();
        if is_special || is_number { Self::Other } else { Self::Text(text.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_quotes_is_what_yaml_says() {
        for (text, number) in [("0", 0), ("-7", -7), ("+7", 7), ("9223372036854775807", i64::MAX)] {
            assert!(matches!(Value::of_plain(text), Value::Integer(found) if found == number), "{text}");
        }
        for text in
            ["", "~", "null", "true", "False", "1.5", "1e3", ".5", "-.inf", ".nan", "9223372036854775808"]
        {
            assert!(matches!(Value::of_plain(text), Value::Other), "{text}");
        }
        for text in ["a", "-", "+", ".", "1a", "a1", "nan", "inf", "1.2.3", "yes", "0x1g", "--1"] {
            assert!(matches!(Value::of_plain(text), Value::Text(found) if found == text), "{text}");
        }
    }
}
