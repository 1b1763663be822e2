//! Appends at a fixed rate, whatever the answers take.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::client::{AppendError, ShardClient};
use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::model::PartitionId;

use crate::floor::Turn;

/// Appends under way at once. More would not be a load that the engine carries.
const UNDER_WAY_MAX: usize = 20_000;

/// Appends per second, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: u64,
    pub(crate) duration: Duration,
}

impl Rate {
    /// When append `number` is meant to begin, from the first on.
    fn due(self, number: u64) -> Duration {
        Duration::from_nanos((u128::from(number) * 1_000_000_000 / u128::from(self.per_second)) as u64)
    }
}

/// What a turn came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenTurn {
    /// Latencies count from the moment at which an append was meant to begin.
    pub(crate) turn: Turn,
    /// There were ever so many appends under way that the rest was left out.
    pub(crate) overrun: bool,
}

#[derive(Default)]
struct Shared {
    done: RefCell<OpenTurn>,
    failure: RefCell<Option<AppendError>>,
    under_way: Cell<usize>,
}

/// Appends `batch` at `rate`, to one of `partitions` after the other. Every append is durable when it counts.
///
/// # Errors
/// The first append's that failed.
pub(crate) async fn append_at_rate<R: Runtime>(
    client: &ShardClient<R>,
    partitions: &[PartitionId],
    batch: Rc<Vec<u8>>,
    rate: Rate,
) -> Result<OpenTurn, AppendError> {
    let runtime = client.runtime();
    let shared = Rc::new(Shared::default());
    let begin = runtime.now();
    let mut number = 0;
    while rate.due(number) < rate.duration && shared.failure.borrow().is_none() {
        let elapsed = runtime.now().since(begin);
        if let Some(early) = rate.due(number).checked_sub(elapsed) {
            runtime.sleep(early).await;
            continue;
        }
        if shared.under_way.get() == UNDER_WAY_MAX {
            shared.done.borrow_mut().overrun = true;
            break;
        }
        let (client, batch, shared) = (client.clone(), Rc::clone(&batch), Rc::clone(&shared));
        let (partition, due) = (partitions[number as usize % partitions.len()], rate.due(number));
        shared.under_way.set(shared.under_way.get() + 1);
        runtime.spawn(Priority::Foreground, async move {
            let outcome = client.append(partition, &batch).await;
            let elapsed = client.runtime().now().since(begin);
            let turn = &mut shared.done.borrow_mut().turn;
            match outcome {
                Ok(_) => turn.bytes += batch.len() as u64,
                Err(error) => drop(shared.failure.borrow_mut().get_or_insert(error)),
            }
            turn.latencies.record(elapsed.saturating_sub(due));
            turn.elapsed = elapsed;
            shared.under_way.set(shared.under_way.get() - 1);
        });
        number += 1;
    }
    while shared.under_way.get() > 0 {
        runtime.sleep(Duration::from_millis(1)).await;
    }
    match shared.failure.take() {
        Some(error) => Err(error),
        None => Ok(shared.done.take()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_are_due_evenly_and_never_drift() {
        let rate = Rate { per_second: 3, duration: Duration::from_secs(1) };
        assert_eq!(rate.due(0), Duration::ZERO);
        assert_eq!(rate.due(1), Duration::from_nanos(333_333_333));
        assert_eq!(rate.due(3_000_000), Duration::from_secs(1_000_000));
    }
}
