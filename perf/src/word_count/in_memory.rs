//! The topology in memory: the same tasks without an engine.

use anyhow::Result;
use thalweg_streams::{TestDriver, Topology};

/// Batches between two commits: as much as a commit holds when commits are a tenth of a second apart.
const BATCHES_PER_COMMIT: usize = 16;

/// Runs `topology` over `batches`, `times` times over.
///
/// # Errors
/// The topology's.
pub(super) fn run(topology: Topology, source: &str, batches: &[Vec<u8>], times: usize) -> Result<TestDriver> {
    let mut driver = TestDriver::new(topology);
    for (number, batch) in std::iter::repeat_n(batches, times).flatten().enumerate() {
        driver.pipe_batch(source, 0, batch)?;
        if number % BATCHES_PER_COMMIT == BATCHES_PER_COMMIT - 1 {
            driver.commit()?;
        }
    }
    driver.commit()?;
    Ok(driver)
}
