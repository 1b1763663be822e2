//! Lines out of pieces of an input.

/// Puts lines together that arrive in pieces.
#[derive(Debug, Default)]
pub struct Lines {
    /// A line whose end has not come.
    begun: Vec<u8>,
}

impl Lines {
    /// Calls `each` with every line that `piece` completes, without its end, until it fails. A line that is
    /// longer than `limit` is given as its first `limit + 1` bytes or more, whether or not its end has come.
    ///
    /// # Errors
    /// The first error of `each`.
    pub fn take<E>(
        &mut self,
        piece: &[u8],
        limit: usize,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(line) if self.begun.is_empty() => each(line)?,
                Some(rest) => {
                    self.begun.extend_from_slice(rest);
                    let taken = each(&self.begun);
                    self.begun.clear();
                    taken?;
                }
                None => {
                    self.begun.extend_from_slice(part);
                    if self.begun.len() > limit {
                        each(&self.begun)?;
                        self.begun.clear();
                    }
                }
            }
        }
        Ok(())
    }

    /// What has come of a line without its end.
    #[must_use]
    pub fn begun(&self) -> &[u8] {
        &self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str], limit: usize) -> (Vec<String>, String) {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            let taken: Result<(), ()> = lines.take(piece.as_bytes(), limit, |line| {
                found.push(String::from_utf8(line.to_vec()).unwrap());
                Ok(())
            });
            taken.unwrap();
        }
        (found, String::from_utf8(lines.begun().to_vec()).unwrap())
    }

    #[test]
    fn lines_are_the_same_wherever_the_pieces_end() {
        let text = "one\n\ntwo three\nlast";
        let expected = (vec!["one".to_owned(), String::new(), "two three".to_owned()], "last".to_owned());
        for at in 0..=text.len() {
            assert_eq!(lines(&[&text[..at], &text[at..]], 99), expected, "cut at {at}");
        }
        let each: Vec<&str> = text.split_inclusive(|_: char| true).collect();
        assert_eq!(lines(&each, 99), expected);
    }

    #[test]
    fn a_line_without_end_is_given_as_soon_as_it_is_too_long() {
        assert_eq!(lines(&["abc", "de", "f"], 4), (vec!["abcde".to_owned()], "f".to_owned()));
    }
}
