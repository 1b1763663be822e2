//! One key with its value.

/// Bytes of key and value together that need no memory of their own.
const INLINE_SIZE: usize = 29;

/// A key and its value, in 32 bytes where they are short.
#[derive(Debug)]
pub(super) enum Entry {
    Inline { key_size: u8, value_size: u8, bytes: [u8; INLINE_SIZE] },
    Boxed { key_size: u32, bytes: Box<[u8]> },
}

const _: () = assert!(size_of::<Entry>() == 32, "two entries to a cache line");

impl Entry {
    /// # Panics
    /// If the key exceeds 4 GiB; a record's limit forbids it.
    #[inline]
    pub(super) fn new(key: &[u8], value: &[u8]) -> Self {
        let size = key.len() + value.len();
        if size > INLINE_SIZE {
            let key_size = u32::try_from(key.len()).expect("a key is shorter than a record");
            return Self::Boxed { key_size, bytes: [key, value].concat().into_boxed_slice() };
        }
        let mut bytes = [0; INLINE_SIZE];
        bytes[..key.len()].copy_from_slice(key);
        bytes[key.len()..size].copy_from_slice(value);
        Self::Inline { key_size: key.len() as u8, value_size: value.len() as u8, bytes }
    }

    #[inline]
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        match self {
            Self::Inline { key_size, value_size, bytes } => {
                let (key, rest) = bytes.split_at(usize::from(*key_size));
                (key, &rest[..usize::from(*value_size)])
            }
            Self::Boxed { key_size, bytes } => bytes.split_at(*key_size as usize),
        }
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        self.parts().0
    }

    /// Bytes on the heap.
    pub(super) fn heap_size(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Boxed { bytes, .. } => bytes.len(),
        }
    }

    /// Replaces the value, in place where it fits.
    #[inline]
    pub(super) fn set_value(&mut self, value: &[u8]) {
        let key_size = self.key().len();
        match self {
            Self::Inline { value_size, bytes, .. } if key_size + value.len() <= INLINE_SIZE => {
                bytes[key_size..key_size + value.len()].copy_from_slice(value);
                *value_size = value.len() as u8;
            }
            Self::Boxed { bytes, .. } if bytes.len() == key_size + value.len() => {
                bytes[key_size..].copy_from_slice(value);
            }
            _ => *self = Self::new(self.key(), value),
        }
    }
}
