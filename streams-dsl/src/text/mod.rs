//! Cutting text into words.

mod ascii;
mod flat_maps;
mod unicode;

pub(crate) use ascii::each_word;
pub use flat_maps::{unicode_words, words};
pub(crate) use unicode::{each_unicode_word, each_unicode_word_of_bytes};
