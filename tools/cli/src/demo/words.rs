//! Words, found in the plainest way.

/// The words of a text: longest runs of `[A-Za-z0-9_]`.
///
/// Deliberately not the tokeniser of the streams package: it checks that one.
#[derive(Debug)]
pub struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// The words of `text`.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// Whether `byte` belongs to a word.
    #[must_use]
    pub fn is_word_byte(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'_'
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|&byte| Self::is_word_byte(byte))?;
        let rest = &self.0[start..];
        let end = rest.iter().position(|&byte| !Self::is_word_byte(byte)).unwrap_or(rest.len());
        self.0 = &rest[end..];
        Some(&rest[..end])
    }
}
