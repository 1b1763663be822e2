//! Counting in plain memory: what the topology's result is checked against, and its speed compared with.

use hashbrown::HashMap;
use thalweg_engine::model::BatchView;

/// Counts by word.
pub(super) type Counts = HashMap<Vec<u8>, u64, foldhash::fast::FixedState>;

/// A byte of a word in lower case: a letter, a digit or `_`; zero for every other byte.
const LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        if value.is_ascii_alphanumeric() || value == b'_' {
            table[byte] = value.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Counts the words in the values of `batches`, `times` times over.
pub(super) fn count_batches(batches: &[Vec<u8>], times: usize) -> Counts {
    let mut counts = Counts::default();
    let mut word = Vec::new();
    for _ in 0..times {
        for batch in batches {
            for record in BatchView::parse_trusted(batch).expect("the batches were built here").iter() {
                count_words(record.value.unwrap_or_default(), &mut word, &mut counts);
            }
        }
    }
    counts
}

/// Adds the words of `line` to `counts`. `word`: room that is used again.
#[inline]
pub(super) fn count_words(line: &[u8], word: &mut Vec<u8>, counts: &mut Counts) {
    let is_word = |byte: &u8| LOWER[usize::from(*byte)] != 0;
    let mut rest = line;
    while let Some(begin) = rest.iter().position(is_word) {
        rest = &rest[begin..];
        let end = rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len());
        word.clear();
        word.extend(rest[..end].iter().map(|byte| LOWER[usize::from(*byte)]));
        *counts.entry_ref(word.as_slice()).or_insert(0) += 1;
        rest = &rest[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_digits_and_underscores_in_lower_case() {
        let mut counts = Counts::default();
        count_words(b"The the_2 THE, \xff\xfethe\xc3\xa9the", &mut Vec::new(), &mut counts);
        assert_eq!(counts.get(&b"the"[..]), Some(&4));
        assert_eq!(counts.get(&b"the_2"[..]), Some(&1));
        assert_eq!(counts.len(), 2);
    }
}
