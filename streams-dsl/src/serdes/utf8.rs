//! Text.

use super::{DecodeError, Serde};

/// UTF-8 text. A record with other bytes is skipped and counted, see
/// [`TaskCounters`](crate::task::TaskCounters).
#[derive(Clone, Copy, Debug)]
pub enum Utf8 {}

impl Serde for Utf8 {
    type Ref = str;
    type Owned = String;
    const NAME: &'static str = "utf8";

    #[inline(always)]
    fn decode<R>(bytes: &[u8], then: impl FnOnce(&str) -> R) -> Result<R, DecodeError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(then(text)),
            Err(error) => Err(DecodeError::NotUtf8 { at: error.valid_up_to() }),
        }
    }

    #[inline(always)]
    fn encode<R>(value: &str, then: impl FnOnce(&[u8]) -> R) -> R {
        then(value.as_bytes())
    }
}
