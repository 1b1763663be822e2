//! Words as flat maps.

use super::{each_unicode_word, each_word};
use crate::builder::Emitter;
use crate::serdes::{Bytes, Utf8};

/// For [`flat_map_values`](crate::KStream::flat_map_values): the words of a value, that is its longest runs of
/// `[A-Za-z0-9_]`, in lower case.
///
/// Works on bytes: whatever is no such letter separates words, valid UTF-8 or not. Allocates nothing.
pub fn words() -> impl Fn(&[u8], &mut Emitter<'_, Bytes>) + Send + Sync + Copy + 'static {
    |value: &[u8], out: &mut Emitter<'_, Bytes>| {
        let (scratch, emit) = out.parts();
        each_word(value, scratch, emit);
    }
}

/// For [`flat_map_values`](crate::KStream::flat_map_values): the words of a text in any script, that is its
/// longest runs of alphanumeric characters (as Unicode defines them) and `_`, in lower case.
pub fn unicode_words() -> impl Fn(&str, &mut Emitter<'_, Utf8>) + Send + Sync + Copy + 'static {
    |value: &str, out: &mut Emitter<'_, Utf8>| {
        let (_, emit) = out.parts();
        each_unicode_word(value, emit);
    }
}
