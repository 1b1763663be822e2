//! One turn of appending.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::client::{AppendError, ShardClient};
use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::model::PartitionId;

use crate::bed::Latch;
use crate::floor::Turn;

/// Appends `batch` over and over from `concurrency` tasks, each one append at a time, for `duration` or until
/// about `bytes_max` bytes are appended. Every append is durable when it counts.
///
/// # Errors
/// The first append's that failed.
pub(crate) async fn append_turn<R: Runtime>(
    client: &ShardClient<R>,
    partition: PartitionId,
    batch: Rc<Vec<u8>>,
    concurrency: usize,
    duration: Duration,
    bytes_max: u64,
) -> Result<Turn, AppendError> {
    let runtime = client.runtime();
    let begin = runtime.now();
    let shared = Rc::new(Shared::default());
    let latch = Latch::new(concurrency);
    for _ in 0..concurrency {
        let (client, batch, shared, latch) =
            (client.clone(), Rc::clone(&batch), Rc::clone(&shared), latch.clone());
        runtime.spawn(Priority::Foreground, async move {
            let mut operation_begin = client.runtime().now();
            while operation_begin.since(begin) < duration && shared.started.get() < bytes_max {
                shared.started.set(shared.started.get() + batch.len() as u64);
                let outcome = client.append(partition, &batch).await;
                let now = client.runtime().now();
                let mut turn = shared.turn.borrow_mut();
                match outcome {
                    Ok(_) => turn.bytes += batch.len() as u64,
                    Err(error) => drop(shared.failure.borrow_mut().get_or_insert(error)),
                }
                turn.latencies.record(now.since(operation_begin));
                turn.elapsed = now.since(begin);
                operation_begin = now;
                if shared.failure.borrow().is_some() {
                    break;
                }
            }
            latch.count_down();
        });
    }
    latch.wait().await;
    match shared.failure.take() {
        Some(error) => Err(error),
        None => Ok(shared.turn.take()),
    }
}

#[derive(Default)]
struct Shared {
    turn: RefCell<Turn>,
    failure: RefCell<Option<AppendError>>,
    /// Bytes of the appends that have begun.
    started: Cell<u64>,
}
