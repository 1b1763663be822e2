//! A text like any other: few words are frequent, most are rare.

/// Words per line.
const LINE_WORDS: usize = 26;

/// Lines of words that are drawn by Zipf's law: the `n`th of `distinct` words is `n` times rarer than the first.
/// The same text for the same arguments.
pub(super) fn zipf_text(words: usize, distinct: usize) -> Vec<u8> {
    let mut random = Random(42);
    let vocabulary = Vocabulary::new(distinct, &mut random);
    let mut text = Vec::with_capacity(words * 6);
    for index in 0..words {
        let word = vocabulary.draw(&mut random);
        if index % LINE_WORDS == 0 {
            text.extend(word.bytes().map(|byte| byte.to_ascii_uppercase()));
        } else {
            text.extend_from_slice(word.as_bytes());
        }
        let ends_line = index % LINE_WORDS == LINE_WORDS - 1;
        text.extend_from_slice(if ends_line {
            b".\n"
        } else if random.next().is_multiple_of(6) {
            b", "
        } else {
            b" "
        });
    }
    text
}

struct Vocabulary {
    words: Vec<String>,
    /// Of each word, the sum of its weight and of those before it.
    cumulative: Vec<f64>,
}

impl Vocabulary {
    fn new(distinct: usize, random: &mut Random) -> Self {
        let mut sum = 0.0;
        let (mut words, mut cumulative) = (Vec::with_capacity(distinct), Vec::with_capacity(distinct));
        for rank in 1..=distinct {
            sum += 1.0 / rank as f64;
            cumulative.push(sum);
            // Frequent words are short.
            let length = 2 + (random.next() % 4) as usize + rank.ilog10() as usize;
            words.push((0..length).map(|_| char::from(b'a' + (random.next() % 26) as u8)).collect());
        }
        Self { words, cumulative }
    }

    fn draw(&self, random: &mut Random) -> &str {
        let total = self.cumulative[self.cumulative.len() - 1];
        let at = random.fraction() * total;
        let index = self.cumulative.partition_point(|&sum| sum <= at);
        &self.words[index.min(self.words.len() - 1)]
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word_count::count::{Counts, count_words};

    #[test]
    fn the_text_has_as_many_words_as_asked_for_and_the_first_is_twice_as_frequent_as_the_second() {
        let mut counts = Counts::default();
        for line in zipf_text(50_000, 1000).split(|&byte| byte == b'\n') {
            count_words(line, &mut Vec::new(), &mut counts);
        }
        let mut by_count: Vec<u64> = counts.values().copied().collect();
        by_count.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(by_count.iter().sum::<u64>(), 50_000);
        let ratio = by_count[0] as f64 / by_count[1] as f64;
        assert!((1.7..2.3).contains(&ratio), "{ratio}");
        assert_eq!(zipf_text(1000, 100), zipf_text(1000, 100));
    }
}
