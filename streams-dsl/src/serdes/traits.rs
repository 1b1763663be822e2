//! The trait of all serdes.

use std::borrow::Borrow;

use super::DecodeError;

/// One way to write keys or values as bytes, and to read them in place.
///
/// A record may lack its key or value altogether; that is not the serde's business: operators see a key as
/// `Option<&K::Ref>`, and are not called for a value that is not there.
pub trait Serde: 'static {
    /// What closures see by reference: `str`, `[u8]`, `i64`, or a type of one's own.
    type Ref: ?Sized;
    /// What closures return when they make something new.
    type Owned: Borrow<Self::Ref>;
    /// The format's name in descriptions and errors. Two serdes of one name must read each other's bytes.
    const NAME: &'static str;

    /// Reads `bytes` and lends the result to `then`.
    ///
    /// # Errors
    /// [`DecodeError`], and `then` is not called, if `bytes` are not of this format.
    fn decode<R>(bytes: &[u8], then: impl FnOnce(&Self::Ref) -> R) -> Result<R, DecodeError>;

    /// Writes `value` and lends its bytes to `then`.
    fn encode<R>(value: &Self::Ref, then: impl FnOnce(&[u8]) -> R) -> R;

    /// The value as a person reads it: in descriptions of tests that failed.
    fn display(value: &Self::Ref) -> String {
        Self::encode(value, |bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}
