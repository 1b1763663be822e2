//! Words of any script.

/// Calls `emit` with every longest run of alphanumeric characters and `_` in `text`, in lower case.
pub(crate) fn each_unicode_word(text: &str, emit: &mut dyn FnMut(&str)) {
    let mut lowered = String::new();
    for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
        if word.is_empty() {
            continue;
        }
        lowered.clear();
        lowered.extend(word.chars().flat_map(char::to_lowercase));
        emit(&lowered);
    }
}

/// As [`each_unicode_word`]; bytes that are not UTF-8 separate words.
pub(crate) fn each_unicode_word_of_bytes(text: &[u8], emit: &mut dyn FnMut(&str)) {
    for chunk in text.utf8_chunks() {
        each_unicode_word(chunk.valid(), emit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_scripts_are_words() {
        let mut words = Vec::new();
        each_unicode_word("И теперь ПОШЛИ русские_слова, 2×!", &mut |word| {
            words.push(word.to_owned())
        });
        assert_eq!(words, ["и", "теперь", "пошли", "русские_слова", "2"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_separate_words() {
        let mut words = Vec::new();
        each_unicode_word_of_bytes(b"Ab\xFFcd \xC3", &mut |word| words.push(word.to_owned()));
        assert_eq!(words, ["ab", "cd"]);
    }
}
