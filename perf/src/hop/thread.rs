//! There and back through the gateway of an executor.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use thalweg_engine::io::{Priority, Runtime};
use thalweg_runtime::{ReplySlot, ThreadReceiver, ThreadSender, reply_slot, start, thread_gateway};

use super::executors::{PAUSE, options, work};
use super::scenario::Load;
use crate::measure::{Latencies, Stopwatch, pause};

/// Room in the gateway; one message at a time is under way.
const CAPACITY: usize = 16;

/// Latencies of requests of this thread to an executor and back, one at a time, for `duration`.
///
/// # Errors
/// If the executor cannot be started.
pub(super) fn measure(load: Load, duration: Duration) -> Result<Latencies> {
    let (sender, receiver) = thread_gateway(CAPACITY);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let executors = start(1, &options(load), move |runtime, _| {
        let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            if load == Load::Busy {
                runtime.spawn(Priority::Foreground, work(runtime.clone()));
            }
            answer(receiver.expect("the one executor takes it")).await;
        }
    })?;
    let latencies = ask(&sender, load, duration);
    drop(sender);
    executors.join();
    latencies
}

fn ask(sender: &ThreadSender<ReplySlot<()>>, load: Load, duration: Duration) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let begin = Stopwatch::start();
    while begin.elapsed() < duration {
        if load == Load::Parked {
            pause(PAUSE);
        }
        let sent = Stopwatch::start();
        let (slot, reply) = reply_slot();
        sender.send(slot).ok().context("the executor has ended")?;
        reply.wait()?;
        latencies.record(sent.elapsed());
    }
    Ok(latencies)
}

async fn answer(receiver: ThreadReceiver<ReplySlot<()>>) {
    while let Some(slot) = receiver.receive().await {
        slot.send(());
    }
}
