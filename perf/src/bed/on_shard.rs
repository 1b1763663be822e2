//! Work on the one shard of a benchmark's engine.

use std::sync::mpsc;

use anyhow::{Context, Result};
use thalweg_engine::client::ShardClient;
use thalweg_runtime::{Engine, GlommioRuntime};

/// Runs `task` on the only shard of `engine`, as a task of its executor, and waits for its result.
///
/// # Errors
/// If the shard ends first.
///
/// # Panics
/// If there are several shards.
pub(crate) fn on_shard<F, O, T>(engine: &Engine, task: F) -> Result<T>
where
    F: Fn(ShardClient<GlommioRuntime>) -> O + Clone + Send + 'static,
    O: Future<Output = T> + 'static,
    T: Send + 'static,
{
    assert_eq!(engine.info().shards, 1, "there is one shard to work on");
    let (sender, results) = mpsc::channel();
    engine.on_each_shard(move |client| {
        let (work, sender) = (task(client), sender.clone());
        async move {
            // Nobody listens any more if the benchmark has given up.
            let _ = sender.send(work.await);
        }
    })?;
    results.recv().context("the shard has ended")
}
