//! The text, as the batches of one copy.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use thalweg_engine::model::{BatchBuilder, Timestamp};

use super::count::{Counts, count_batches};
use super::zipf::zipf_text;

/// Words of the generated text: like a long book's.
const WORDS: usize = 850_000;

/// Size at which a batch is closed. Bytes.
const BATCH_SIZE: usize = 512 << 10;

/// Largest text. Bytes.
const TEXT_SIZE_MAX: u64 = 256 << 20;

/// One copy of a text.
pub(super) struct Text {
    pub(super) name: String,
    /// Native batches, a record for each line.
    pub(super) batches: Vec<Vec<u8>>,
    pub(super) lines: u64,
    /// Of one copy.
    pub(super) counts: Counts,
}

impl Text {
    /// Reads `file`, or generates a text of words drawn from `distinct` ones.
    ///
    /// # Errors
    /// If the file cannot be read, is too large, or holds no word.
    pub(super) fn load(file: Option<&Path>, distinct: usize) -> Result<Self> {
        let Some(file) = file else {
            return Self::new("a generated text".to_owned(), &zipf_text(WORDS, distinct));
        };
        let size = fs::metadata(file).with_context(|| format!("{file:?}"))?.len();
        ensure!(size <= TEXT_SIZE_MAX, "{file:?} has {size} bytes; a text has at most {TEXT_SIZE_MAX}");
        let text = fs::read(file).with_context(|| format!("{file:?}"))?;
        Self::new(file.display().to_string(), &text)
    }

    fn new(name: String, text: &[u8]) -> Result<Self> {
        let mut builder = BatchBuilder::new();
        let (mut batches, mut lines) = (Vec::new(), 0);
        for line in text.split(|&byte| byte == b'\n') {
            builder.push(Timestamp(0), None, Some(line), &[]).context("a line is too long for a record")?;
            lines += 1;
            if builder.size() >= BATCH_SIZE {
                batches.push(builder.finish().to_vec());
                builder.clear();
            }
        }
        if !builder.is_empty() {
            batches.push(builder.into_bytes());
        }
        let counts = count_batches(&batches, 1);
        ensure!(!counts.is_empty(), "there is no word in {name}");
        Ok(Self { name, batches, lines, counts })
    }

    /// Words of one copy.
    pub(super) fn words(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Bytes of one copy's batches.
    pub(super) fn size(&self) -> u64 {
        self.batches.iter().map(|batch| batch.len() as u64).sum()
    }
}
