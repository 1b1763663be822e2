//! Why bytes are not the archive that was expected.

/// Why bytes could not be read as an archive of the expected type. Nothing was interpreted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ArchiveError {
    /// Fewer bytes than the envelope, or than it announces.
    #[error("archive of {size} bytes where at least {needed} are needed")]
    TooShort {
        /// Bytes present.
        size: usize,
        /// Bytes needed, envelope included.
        needed: usize,
    },
    /// More bytes than the envelope announces.
    #[error("archive of {needed} bytes is followed by {trailing} unexpected bytes")]
    Trailing {
        /// Bytes of envelope and archive.
        needed: usize,
        /// Bytes behind them.
        trailing: usize,
    },
    /// An archive of something else.
    #[error("archive of type {found} where type {expected} is expected")]
    WrongType {
        /// Type in the envelope.
        found: u16,
        /// Type asked for.
        expected: u16,
    },
    /// An archive of the right type in a version that this reader does not know.
    #[error("archive of type {kind} in version {found}; known is version {known}")]
    UnknownVersion {
        /// The archive's type.
        kind: u16,
        /// Version in the envelope.
        found: u16,
        /// Version asked for.
        known: u16,
    },
    /// The bytes inside the envelope do not form a value of its type.
    #[error("archive does not validate: {reason}")]
    Invalid {
        /// What the validation found first.
        reason: String,
    },
}
