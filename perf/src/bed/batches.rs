//! Batches to append.

use thalweg_engine::model::{BatchBuilder, Timestamp};

/// Bytes of a batch's header and of what it keeps for each record beside key and value.
const BATCH_OVERHEAD: usize = 64;
const RECORD_OVERHEAD: usize = 24;

/// A native batch of close to `size` bytes, cut into records of at most `record_size`, none of them compressible.
pub(crate) fn batch_of_size(size: usize, record_size: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let mut left = size.saturating_sub(BATCH_OVERHEAD);
    let mut seed = 1;
    while left > RECORD_OVERHEAD {
        let value = noise(&mut seed, record_size.min(left) - RECORD_OVERHEAD);
        builder
            .push(Timestamp(0), None, Some(&value), &[])
            .expect("a benchmark's batch is within the limits");
        left -= value.len() + RECORD_OVERHEAD;
    }
    builder.into_bytes()
}

/// `size` bytes that no device compresses; the same for the same seed.
fn noise(seed: &mut u64, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // Xorshift: enough to be incompressible.
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        bytes.extend_from_slice(&seed.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

#[cfg(test)]
mod tests {
    use thalweg_engine::model::BatchView;

    use super::*;

    #[test]
    fn a_batch_has_the_size_that_was_asked_for_and_is_valid() {
        for (size, records) in [(1 << 10, 1), (16 << 10, 16), (1 << 20, 1024)] {
            let batch = batch_of_size(size, 1 << 10);
            assert!(batch.len().abs_diff(size) < 2 * (BATCH_OVERHEAD + RECORD_OVERHEAD), "{}", batch.len());
            assert_eq!(BatchView::parse(&batch).unwrap().count(), records);
        }
    }
}
