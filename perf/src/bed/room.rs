//! Getting a log back to where it was before it was written to.

use std::time::Duration;

use anyhow::{Result, ensure};
use thalweg_engine::client::ShardClient;
use thalweg_engine::io::Runtime;
use thalweg_engine::model::PartitionId;

/// How often to look whether the pool is full again.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Looks after which the pool is given up: a minute's worth.
const LOOKS_MAX: usize = 12_000;

/// Checkpoints after which nothing refers to what was let go: the newest and the one before it.
const CHECKPOINTS: usize = 2;

/// Lets go of everything in `partition`, and waits until `segments` segments are ready for use.
///
/// # Errors
/// The engine's, or that the pool does not fill.
pub(crate) async fn make_room<R: Runtime>(
    client: &ShardClient<R>,
    partition: PartitionId,
    segments: usize,
) -> Result<()> {
    let end = client.bounds(partition).await?.end;
    client.set_log_start(partition, end).await?;
    for _ in 0..CHECKPOINTS {
        client.checkpoint().await?;
    }
    for _ in 0..LOOKS_MAX {
        if client.log_status().segments_ready >= segments {
            return Ok(());
        }
        client.runtime().sleep(LOOK_INTERVAL).await;
    }
    let ready = client.log_status().segments_ready;
    ensure!(ready >= segments, "only {ready} of {segments} segments got ready");
    Ok(())
}
