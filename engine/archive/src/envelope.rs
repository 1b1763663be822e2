//! The eight bytes before every archive.

use crate::ArchiveError;

/// Bytes of an envelope.
pub const ENVELOPE_SIZE: usize = 8;

/// Names an archived type on disk.
///
/// A changed layout is a new version or a new type, with a Rust type of its own; readers keep the old ones.
pub trait Kind {
    /// Number of the type; unique among all archives of the product, never reused.
    const TYPE: u16;
    /// Version of the type's layout, from 1.
    const VERSION: u16;
}

/// What precedes an archive: type `u16`, version `u16`, size of the archive `u32`; little-endian.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Envelope {
    /// [`Kind::TYPE`] of the archived value.
    pub kind: u16,
    /// [`Kind::VERSION`] of the archived value.
    pub version: u16,
    /// Bytes of the archive that follows; the envelope is not counted.
    pub size: u32,
}

impl Envelope {
    /// Reads the envelope at the start of `bytes`, so that a reader of several types can choose.
    ///
    /// # Errors
    /// [`ArchiveError::TooShort`], if the envelope or the archive that it announces is cut off.
    pub fn read(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let Some(&[k0, k1, v0, v1, s0, s1, s2, s3]) = bytes.first_chunk::<ENVELOPE_SIZE>() else {
            return Err(ArchiveError::TooShort { size: bytes.len(), needed: ENVELOPE_SIZE });
        };
        let envelope = Self {
            kind: u16::from_le_bytes([k0, k1]),
            version: u16::from_le_bytes([v0, v1]),
            size: u32::from_le_bytes([s0, s1, s2, s3]),
        };
        if bytes.len() < envelope.end() {
            return Err(ArchiveError::TooShort { size: bytes.len(), needed: envelope.end() });
        }
        Ok(envelope)
    }

    /// The envelope's bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; ENVELOPE_SIZE] {
        let [k0, k1] = self.kind.to_le_bytes();
        let [v0, v1] = self.version.to_le_bytes();
        let [s0, s1, s2, s3] = self.size.to_le_bytes();
        [k0, k1, v0, v1, s0, s1, s2, s3]
    }

    /// Bytes of envelope and archive together.
    #[must_use]
    pub fn end(self) -> usize {
        (self.size as usize).saturating_add(ENVELOPE_SIZE)
    }
}
