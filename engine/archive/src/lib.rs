//! Archives on disk: encoded once, validated once, then read in place.
//!
//! An archive is the [rkyv] form of one value, preceded by an [`Envelope`] that says which value it is.
//! [`view`] validates borrowed bytes and returns the archived value inside them; [`Validated`] owns the
//! bytes, so that one validation serves every later read.
//!
//! Invariant: a reference to an archived value exists only for bytes that passed validation and can no
//! longer change. All `unsafe` of the storage format is in this package, and rests on that.

mod encode;
mod envelope;
mod error;
mod validated;

pub use encode::{encode, encode_into};
pub use envelope::{ENVELOPE_SIZE, Envelope, Kind};
pub use error::ArchiveError;
pub use validated::{Readable, StableBytes, Validated, deserialize, view, view_prefix};
