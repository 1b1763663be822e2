//! What is wrong with a topology file, and where.

/// Why a topology file was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1. Characters.
    pub column: usize,
    /// What is wrong there. Of what it quotes, control characters are escaped.
    pub message: String,
}

impl YamlError {
    /// `message`, said of the place at `line` and `column`.
    pub(super) fn at(line: usize, column: usize, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.contains(is_unprintable) {
            let escaped = |character: char| {
                if is_unprintable(character) {
                    character.escape_unicode().to_string()
                } else {
                    character.into()
                }
            };
            message = message.chars().map(escaped).collect();
        }
        Self { line, column, message }
    }
}

/// Control characters, and those that turn the direction of text around: a terminal would obey.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
