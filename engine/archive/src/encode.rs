//! From a value to its archive.

use rkyv::Serialize;
use rkyv::api::high::{HighSerializer, to_bytes_in};
use rkyv::rancor::Error;
use rkyv::ser::allocator::ArenaHandle;

use crate::{ENVELOPE_SIZE, Envelope, Kind};

/// Encodes `value`: envelope and archive.
///
/// # Panics
/// As [`encode_into`].
#[must_use]
pub fn encode<T>(value: &T) -> Vec<u8>
where
    T: Kind + for<'a> Serialize<HighSerializer<Vec<u8>, ArenaHandle<'a>, Error>>,
{
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes);
    bytes
}

/// Appends envelope and archive of `value` to `out`.
///
/// An archive holds relative pointers only, so its bytes do not depend on where in `out` it starts.
///
/// # Panics
/// If the archive exceeds 2 GiB, the reach of its pointers: the limits of what is archived forbid it.
pub fn encode_into<T>(value: &T, out: &mut Vec<u8>)
where
    T: Kind + for<'a> Serialize<HighSerializer<Vec<u8>, ArenaHandle<'a>, Error>>,
{
    let start = out.len();
    out.extend_from_slice(&[0; ENVELOPE_SIZE]);
    let bytes = to_bytes_in::<_, Error>(value, std::mem::take(out));
    *out = bytes.expect("an archive is smaller than the reach of its pointers");
    let size = u32::try_from(out.len() - start - ENVELOPE_SIZE).expect("an archive's size fits its envelope");
    let envelope = Envelope { kind: T::TYPE, version: T::VERSION, size };
    out[start..start + ENVELOPE_SIZE].copy_from_slice(&envelope.bytes());
}
