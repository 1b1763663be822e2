//! Why bytes could not be read.

/// Why a key or value is not of the format that the topology says it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The format has another size.
    #[error("{found} bytes where {format} has {expected}")]
    Size {
        /// Name of the format.
        format: &'static str,
        /// Bytes of the format.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// Not UTF-8.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Bytes before the first that is not.
        at: usize,
    },
    /// Refused by a serde of one's own.
    #[error("not {format}: {what}")]
    Malformed {
        /// Name of the format.
        format: &'static str,
        /// What is wrong.
        what: &'static str,
    },
}
