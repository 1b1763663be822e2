//! Words that say that something is unfinished. What is not done is not in the tree.

use crate::violation::Violation;
use crate::workspace::Text;

/// In two halves, so that this file passes its own check.
const BANNED: [&str; 4] =
    [concat!("todo", "!"), concat!("unimplemented", "!"), concat!("#[ig", "nore"), concat!("FIX", "ME")];

/// Reports every line of `texts` that holds a banned word.
#[must_use]
pub fn check(texts: &[Text]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for text in texts {
        for (index, line) in text.content.lines().enumerate() {
            for word in BANNED.iter().filter(|word| line.contains(**word)) {
                let message = format!("`{word}`: finish it, or leave it out");
                violations.push(Violation::at_line(&text.path, index + 1, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(content: String) -> Vec<Violation> {
        check(&[Text { path: "x.rs".to_owned(), content }])
    }

    #[test]
    fn every_banned_word_is_found_with_its_line() {
        for word in BANNED {
            let found = check_text(format!("fn a() {{}}\n    {word}\n"));
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!(found[0].place, "x.rs:2");
        }
        assert_eq!(check_text(format!("{} = \"slow\"]", BANNED[2])).len(), 1);
    }

    #[test]
    fn ordinary_text_passes() {
        assert!(check_text("fn ignored() { let methods = 1; } // to do is to be".to_owned()).is_empty());
    }
}
