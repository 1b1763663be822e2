//! The text to count, cut into lines.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::words::Words;

/// Largest text, all files together. Bytes.
pub const CORPUS_SIZE_MAX: usize = 256 << 20;

/// Most lines of a text, all files together: each takes memory beside its bytes.
pub const CORPUS_LINES_MAX: usize = 32 << 20;

/// Bytes of one read.
const READ_SIZE: usize = 1 << 20;

/// Stands for standard input among the files.
const STANDARD_INPUT: &str = "-";

/// Longest line: a longer one is cut between two words. Bytes.
pub const LINE_SIZE_MAX: usize = 64 << 10;

/// Longest word. Bytes.
pub const WORD_SIZE_MAX: usize = 1 << 20;

/// Counts by word, with a fixed hasher.
pub type Counts = HashMap<Vec<u8>, u64, foldhash::fast::FixedState>;

/// Why a text cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file could not be read.
    #[error("{path:?} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// All files together exceed the limit.
    #[error("the text is larger than {limit} bytes with {path:?}; give fewer files, or --copies instead")]
    TooLarge {
        /// The file that is too much.
        path: PathBuf,
        /// [`CORPUS_SIZE_MAX`].
        limit: usize,
    },
    /// All files together have too many lines.
    #[error("the text has more than {limit} lines with {path:?}; give fewer files, or --copies instead")]
    TooManyLines {
        /// The file that is too much.
        path: PathBuf,
        /// [`CORPUS_LINES_MAX`].
        limit: usize,
    },
    /// A word exceeds the limit: the file is hardly text.
    #[error("{path:?} holds a word of more than {limit} bytes at byte {at}; is it a text?")]
    WordTooLong {
        /// The file.
        path: PathBuf,
        /// Where the word begins.
        at: usize,
        /// [`WORD_SIZE_MAX`].
        limit: usize,
    },
    /// There is no word at all.
    #[error("there is no word of [a-z0-9_] in the text")]
    Empty,
    /// No text was named and the default is not there.
    #[error("the sources that this program was built from are not in {looked_in:?}; name a text file")]
    NoDefault {
        /// The folder that holds them after a build.
        looked_in: PathBuf,
    },
}

/// A text in memory.
#[derive(Debug)]
pub struct Corpus {
    bytes: Vec<u8>,
    /// Beginning and end of each line in `bytes`.
    lines: Vec<(u32, u32)>,
    name: String,
}

const _: () = assert!(CORPUS_SIZE_MAX <= u32::MAX as usize, "a line's place fits into 32 bits");

impl Corpus {
    /// Reads `paths`, one after the other; `-` is standard input.
    ///
    /// # Errors
    /// [`CorpusError`].
    pub fn read(paths: &[PathBuf]) -> Result<Self, CorpusError> {
        let name = match paths {
            [one] if one.as_os_str() == STANDARD_INPUT => "standard input".to_owned(),
            [one] => one.display().to_string(),
            many => format!("{} files", many.len()),
        };
        let mut corpus = Self { bytes: Vec::new(), lines: Vec::new(), name };
        for path in paths {
            corpus.add_file(path)?;
        }
        if Words::new(&corpus.bytes).next().is_none() {
            return Err(CorpusError::Empty);
        }
        Ok(corpus)
    }

    /// Reads the sources of the packages that this program was built from.
    ///
    /// # Errors
    /// [`CorpusError::NoDefault`], if they are not on this machine.
    pub fn read_own_sources() -> Result<Self, CorpusError> {
        let (paths, looked_in) = super::own_sources::find();
        if paths.is_empty() {
            return Err(CorpusError::NoDefault { looked_in });
        }
        let mut corpus = Self::read(&paths)?;
        corpus.name = format!("the {} source files this program was built from", paths.len());
        Ok(corpus)
    }

    /// What was read, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of lines.
    #[must_use]
    pub fn line_count(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Bytes of all lines, their ends not counted.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.lines.iter().map(|(from, to)| u64::from(to - from)).sum()
    }

    /// Line `index` of the text repeated for ever.
    ///
    /// # Panics
    /// If there is no line.
    #[must_use]
    pub fn line(&self, index: u64) -> &[u8] {
        let (from, to) = self.lines[(index % self.line_count()) as usize];
        &self.bytes[from as usize..to as usize]
    }

    /// Names this text among others: CRC-32 over its lines.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for index in 0..self.line_count() {
            hasher.update(self.line(index));
            hasher.update(b"\n");
        }
        hasher.finalize()
    }

    /// Counts the words of one copy, in the plainest way: what the topology's result is checked against.
    #[must_use]
    pub fn count(&self) -> Counts {
        let mut counts = Counts::default();
        let mut word = Vec::new();
        for index in 0..self.line_count() {
            for found in Words::new(self.line(index)) {
                word.clear();
                word.extend(found.iter().map(u8::to_ascii_lowercase));
                match counts.get_mut(&word) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(word.clone(), 1)),
                }
            }
        }
        counts
    }

    /// Reads a file piece by piece, so that one without end is refused at the limit.
    fn add_file(&mut self, path: &Path) -> Result<(), CorpusError> {
        let unreadable = |source| CorpusError::Unreadable { path: path.to_owned(), source };
        let too_large = || CorpusError::TooLarge { path: path.to_owned(), limit: CORPUS_SIZE_MAX };
        let mut input: Box<dyn Read> = if path.as_os_str() == STANDARD_INPUT {
            Box::new(std::io::stdin())
        } else {
            let file = File::open(path).map_err(unreadable)?;
            if file.metadata().map_err(unreadable)?.len() > (CORPUS_SIZE_MAX - self.bytes.len()) as u64 {
                return Err(too_large());
            }
            Box::new(file)
        };
        let file_start = self.bytes.len();
        let mut rest = file_start;
        loop {
            let read = input.by_ref().take(READ_SIZE as u64).read_to_end(&mut self.bytes);
            let is_end = read.map_err(unreadable)? < READ_SIZE;
            if self.bytes.len() > CORPUS_SIZE_MAX {
                return Err(too_large());
            }
            rest = self.add_lines(path, file_start, rest, is_end)?;
            if is_end {
                return Ok(());
            }
        }
    }

    /// Adds the lines that begin at `from`, as far as they are known: to the end of what was read if `is_end`.
    /// Returns where the first line begins that was not added.
    fn add_lines(
        &mut self,
        path: &Path,
        file_start: usize,
        mut from: usize,
        is_end: bool,
    ) -> Result<usize, CorpusError> {
        while from < self.bytes.len() {
            let Some((length, end)) = line_of(&self.bytes[from..], is_end) else {
                if self.bytes.len() - from > WORD_SIZE_MAX {
                    let at = from - file_start;
                    return Err(CorpusError::WordTooLong { path: path.to_owned(), at, limit: WORD_SIZE_MAX });
                }
                break;
            };
            if self.lines.len() == CORPUS_LINES_MAX {
                return Err(CorpusError::TooManyLines { path: path.to_owned(), limit: CORPUS_LINES_MAX });
            }
            self.lines.push((from as u32, (from + length) as u32));
            from += length + end;
        }
        Ok(from)
    }
}

/// The length of the first line of `text` and of its end, or nothing if more of it must be read, or if it
/// begins with a word that is too long. A long line is cut behind the last byte before the limit that is in no
/// word, else behind the first one after it. `is_end`: nothing follows `text`.
fn line_of(text: &[u8], is_end: bool) -> Option<(usize, usize)> {
    let head = &text[..text.len().min(LINE_SIZE_MAX + 1)];
    if let Some(length) = head.iter().position(|&byte| byte == b'\n') {
        return Some((length, 1));
    }
    let separates = |byte: &u8| !Words::is_word_byte(*byte);
    if text.len() > LINE_SIZE_MAX {
        if let Some(at) = head[..LINE_SIZE_MAX].iter().rposition(separates) {
            return Some((at + 1, 0));
        }
        let word = &text[..text.len().min(WORD_SIZE_MAX + 1)];
        if let Some(at) = word.iter().position(separates) {
            return Some(if word[at] == b'\n' { (at, 1) } else { (at + 1, 0) });
        }
    }
    (is_end && text.len() <= WORD_SIZE_MAX).then_some((text.len(), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(text: &[u8], test: &str) -> Result<Corpus, CorpusError> {
        let path = std::env::temp_dir().join(format!("thalweg-corpus-{test}-{}", std::process::id()));
        std::fs::write(&path, text).expect("the temporary folder can be written");
        let corpus = Corpus::read(std::slice::from_ref(&path));
        std::fs::remove_file(&path).expect("the file was just written");
        corpus
    }

    #[test]
    fn lines_are_those_of_the_text() {
        let corpus = corpus(b"one two\n\nthree\r\nlast", "lines").unwrap();
        let lines: Vec<&[u8]> = (0..corpus.line_count()).map(|i| corpus.line(i)).collect();
        assert_eq!(lines, [&b"one two"[..], b"", b"three\r", b"last"]);
        assert_eq!(corpus.line(4), b"one two");
    }

    #[test]
    fn words_are_counted_by_bytes_whatever_the_encoding() {
        let corpus = corpus(b"The the_2 THE \xff\xfethe\xc3\xa9the\n", "bytes").unwrap();
        let counts = corpus.count();
        assert_eq!(counts.get(&b"the"[..]), Some(&4));
        assert_eq!(counts.get(&b"the_2"[..]), Some(&1));
        assert_eq!(counts.len(), 2);
    }

    #[test]
    fn a_long_line_is_cut_between_words() {
        let text = b"word ".repeat(100_000);
        let corpus = corpus(&text, "long").unwrap();
        assert!(corpus.line_count() > 1);
        assert!((0..corpus.line_count()).all(|i| corpus.line(i).len() <= LINE_SIZE_MAX));
        assert_eq!(corpus.count().get(&b"word"[..]), Some(&100_000));
    }

    #[test]
    fn lines_are_the_same_wherever_a_read_ends() {
        let text: Vec<u8> = (0..600_000u32).flat_map(|i| format!("{i}\n").into_bytes()).collect();
        assert!(text.len() > 3 * READ_SIZE);
        let corpus = corpus(&text, "pieces").unwrap();
        assert_eq!(corpus.line_count(), 600_000);
        assert!((0..600_000).all(|i| corpus.line(i) == i.to_string().as_bytes()));
    }

    #[test]
    fn a_long_word_is_kept_whole_and_an_endless_one_is_refused() {
        let corpus_of_long = corpus(&b"x".repeat(LINE_SIZE_MAX + 7), "word").unwrap();
        assert_eq!(corpus_of_long.count().len(), 1);
        let error = corpus(&b"x".repeat(WORD_SIZE_MAX + 1), "endless").unwrap_err();
        assert!(matches!(error, CorpusError::WordTooLong { at: 0, .. }), "{error}");
    }
}
