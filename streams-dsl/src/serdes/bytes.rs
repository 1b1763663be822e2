//! Bytes as they are.

use super::{DecodeError, Serde};

/// Name of the format that says nothing about the bytes, and so agrees with every other.
pub(crate) const RAW_FORMAT: &str = "bytes";

/// Bytes as they are; any bytes.
#[derive(Clone, Copy, Debug)]
pub enum Bytes {}

impl Serde for Bytes {
    type Ref = [u8];
    type Owned = Vec<u8>;
    const NAME: &'static str = RAW_FORMAT;

    #[inline(always)]
    fn decode<R>(bytes: &[u8], then: impl FnOnce(&[u8]) -> R) -> Result<R, DecodeError> {
        Ok(then(bytes))
    }

    #[inline(always)]
    fn encode<R>(value: &[u8], then: impl FnOnce(&[u8]) -> R) -> R {
        then(value)
    }
}
