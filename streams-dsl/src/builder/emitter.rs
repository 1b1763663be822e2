//! Where flat maps put what they make.

use std::fmt;

use crate::serdes::Serde;

/// Memory that a flat map may write to, and the function that hands on one value.
pub type EmitterParts<'a, R> = (&'a mut Vec<u8>, &'a mut dyn FnMut(&R));

/// Takes the values that a flat map makes of one value.
pub struct Emitter<'e, V: Serde> {
    forward: &'e mut dyn FnMut(&V::Ref),
    scratch: &'e mut Vec<u8>,
}

impl<'e, V: Serde> Emitter<'e, V> {
    pub(crate) fn new(forward: &'e mut dyn FnMut(&V::Ref), scratch: &'e mut Vec<u8>) -> Self {
        Self { forward, scratch }
    }

    /// Hands on one value. It is only looked at during the call.
    #[inline]
    pub fn emit(&mut self, value: &V::Ref) {
        (self.forward)(value);
    }

    /// Memory that is kept from value to value, with whatever was left in it, and the function that hands on
    /// one value: for flat maps that write before they emit.
    pub fn parts(&mut self) -> EmitterParts<'_, V::Ref> {
        (self.scratch, self.forward)
    }
}

impl<V: Serde> fmt::Debug for Emitter<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").field("format", &V::NAME).finish_non_exhaustive()
    }
}

/// Takes the keys and values that a flat map makes of one record.
pub struct PairEmitter<'e, K: Serde, V: Serde> {
    forward: &'e mut dyn FnMut(&K::Ref, &V::Ref),
}

impl<'e, K: Serde, V: Serde> PairEmitter<'e, K, V> {
    pub(crate) fn new(forward: &'e mut dyn FnMut(&K::Ref, &V::Ref)) -> Self {
        Self { forward }
    }

    /// Hands on one key and value. They are only looked at during the call.
    #[inline]
    pub fn emit(&mut self, key: &K::Ref, value: &V::Ref) {
        (self.forward)(key, value);
    }
}

impl<K: Serde, V: Serde> fmt::Debug for PairEmitter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairEmitter").field("key", &K::NAME).field("value", &V::NAME).finish_non_exhaustive()
    }
}
