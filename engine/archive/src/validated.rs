//! Reading archives in place.

use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use rkyv::api::high::{HighDeserializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Error;
use rkyv::{Archive, Deserialize};

use crate::{ArchiveError, ENVELOPE_SIZE, Envelope, Kind};

/// A type whose archives can be validated: every type that derives `rkyv::Archive` and implements [`Kind`].
pub trait Readable: Kind + Archive<Archived: for<'a> CheckBytes<HighValidator<'a, Error>>> {}

impl<T> Readable for T where T: Kind + Archive<Archived: for<'a> CheckBytes<HighValidator<'a, Error>>> {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for Vec<u8> {}
    impl Sealed for Box<[u8]> {}
    impl Sealed for std::rc::Rc<[u8]> {}
}

/// Owned bytes that stay as they are for as long as nobody has `&mut` to them.
///
/// # Safety
/// Two calls of [`stable_bytes`](StableBytes::stable_bytes) on a value that was not accessed mutably in
/// between return the same bytes, also after the value was moved.
pub unsafe trait StableBytes: sealed::Sealed {
    /// The bytes.
    fn stable_bytes(&self) -> &[u8];
}

// SAFETY: the heap bytes of a Vec change only through `&mut`; moving the Vec moves a pointer to them.
unsafe impl StableBytes for Vec<u8> {
    fn stable_bytes(&self) -> &[u8] {
        self
    }
}

// SAFETY: as for Vec.
unsafe impl StableBytes for Box<[u8]> {
    fn stable_bytes(&self) -> &[u8] {
        self
    }
}

// SAFETY: while `Validated` holds one reference, `Rc::get_mut` of every other one fails, and `[u8]` has no
// interior mutability.
unsafe impl StableBytes for Rc<[u8]> {
    fn stable_bytes(&self) -> &[u8] {
        self
    }
}

/// An archive of `T` that owns its bytes and was validated when it was made.
///
/// Dereferences to the archived value without further checks.
pub struct Validated<T, B = Vec<u8>> {
    bytes: B,
    value: PhantomData<fn() -> T>,
}

impl<T: Readable, B: StableBytes> Validated<T, B> {
    /// Takes `bytes`, one envelope and its archive and nothing else, and validates them.
    ///
    /// # Errors
    /// [`ArchiveError`]; the bytes are dropped.
    pub fn read(bytes: B) -> Result<Self, ArchiveError> {
        view::<T>(bytes.stable_bytes())?;
        Ok(Self { bytes, value: PhantomData })
    }

    /// The archived value.
    #[must_use]
    pub fn value(&self) -> &T::Archived {
        let archive = &self.bytes.stable_bytes()[ENVELOPE_SIZE..];
        // SAFETY: `read` validated exactly these bytes as an archive of `T`, whose root lies at their end.
        // They are private and never accessed mutably, and `StableBytes` promises that they are unchanged.
        unsafe { rkyv::access_unchecked::<T::Archived>(archive) }
    }

    /// The bytes, envelope included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.stable_bytes()
    }

    /// Gives the bytes back.
    #[must_use]
    pub fn into_bytes(self) -> B {
        self.bytes
    }
}

impl<T: Readable, B: StableBytes> Deref for Validated<T, B> {
    type Target = T::Archived;

    fn deref(&self) -> &T::Archived {
        self.value()
    }
}

impl<T, B> std::fmt::Debug for Validated<T, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validated").field("type", &std::any::type_name::<T>()).finish_non_exhaustive()
    }
}

/// Validates `bytes`, one envelope and its archive and nothing else, and returns the archived value.
///
/// # Errors
/// [`ArchiveError`], for any other bytes.
pub fn view<T: Readable>(bytes: &[u8]) -> Result<&T::Archived, ArchiveError> {
    let (value, rest) = view_prefix::<T>(bytes)?;
    if !rest.is_empty() {
        return Err(ArchiveError::Trailing { needed: bytes.len() - rest.len(), trailing: rest.len() });
    }
    Ok(value)
}

/// Validates the archive at the start of `bytes` and returns the archived value and the bytes behind it.
///
/// # Errors
/// [`ArchiveError`], if `bytes` does not start with an archive of `T`.
pub fn view_prefix<T: Readable>(bytes: &[u8]) -> Result<(&T::Archived, &[u8]), ArchiveError> {
    let envelope = Envelope::read(bytes)?;
    if envelope.kind != T::TYPE {
        return Err(ArchiveError::WrongType { found: envelope.kind, expected: T::TYPE });
    }
    if envelope.version != T::VERSION {
        let (kind, found, known) = (T::TYPE, envelope.version, T::VERSION);
        return Err(ArchiveError::UnknownVersion { kind, found, known });
    }
    let (archive, rest) = bytes[ENVELOPE_SIZE..].split_at(envelope.size as usize);
    let value = rkyv::access::<T::Archived, Error>(archive)
        .map_err(|error| ArchiveError::Invalid { reason: error.to_string() })?;
    Ok((value, rest))
}

/// Rebuilds the owned value from its archived form.
///
/// # Panics
/// Never for a validated archive of plain data: only shared pointers can fail to be rebuilt.
#[must_use]
pub fn deserialize<T>(archived: &T::Archived) -> T
where
    T: Readable,
    T::Archived: Deserialize<T, HighDeserializer<Error>>,
{
    rkyv::deserialize::<T, Error>(archived).expect("a validated archive of plain data can be rebuilt")
}
