//! How keys and values lie in records, and how closures see them.
//!
//! A [`Serde`] lends: decoding a [`Bytes`] or [`Utf8`] gives a slice of the record itself, so that no record
//! costs an allocation.

mod bytes;
mod error;
mod number;
mod traits;
mod utf8;

pub use bytes::Bytes;
pub(crate) use bytes::RAW_FORMAT;
pub use error::DecodeError;
pub use number::{F64, I32, I64, U64};
pub use traits::Serde;
pub use utf8::Utf8;
