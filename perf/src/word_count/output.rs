//! Reading the counts back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use thalweg_engine::model::{BatchView, Offset, TopicName};
use thalweg_runtime::Engine;

use super::count::Counts;

/// Bytes of a read.
const READ_SIZE: usize = 1 << 20;

/// Compares the last count of every word in the topic `name` with `expected`, `copies` times over.
///
/// # Errors
/// The engine's, or the first difference.
pub(super) fn check(engine: &Engine, name: &str, expected: &Counts, copies: u64) -> Result<()> {
    let found = read(engine, name)?;
    ensure!(found.len() == expected.len(), "{name}: {} words instead of {}", found.len(), expected.len());
    for (word, &count) in expected {
        let (found, expected) = (found.get(word).copied().unwrap_or(0), count * copies);
        ensure!(found == expected, "{name}: '{}' {found} times instead of {expected}", word.escape_ascii());
    }
    Ok(())
}

fn read(engine: &Engine, name: &str) -> Result<Counts> {
    let client = engine.client();
    let topic = client.topic(&TopicName::new(name)?)?.with_context(|| format!("there is no topic {name}"))?;
    let mut counts = Counts::default();
    for partition in &topic.partitions {
        let bounds = client.bounds(partition)?;
        let mut next = bounds.start;
        while next < bounds.end {
            for batch in client.read(partition, next, READ_SIZE, Duration::ZERO)? {
                for record in BatchView::parse(&batch.bytes)? {
                    let word = record.key.context("a count has a word")?;
                    let count = record.value.and_then(|value| value.try_into().ok()).map(u64::from_be_bytes);
                    counts.insert(word.to_vec(), count.context("a count has eight bytes")?);
                }
                next = Offset(batch.base.0 + u64::from(batch.count));
            }
        }
    }
    Ok(counts)
}
