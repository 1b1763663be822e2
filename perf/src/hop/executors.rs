//! There and back over the mesh.

use std::time::Duration;

use anyhow::Result;
use thalweg_engine::io::{Mesh, Priority, Runtime};
use thalweg_engine::model::ShardId;
use thalweg_engine::shard::{MeshMessage, Reply, Request};
use thalweg_runtime::{GlommioRuntime, RuntimeOptions, start};

use super::scenario::Load;
use crate::measure::Latencies;

const ASKING: ShardId = ShardId(0);
const ANSWERING: ShardId = ShardId(1);

/// How long a busy executor works between two looks at what else there is to do.
const WORK: Duration = Duration::from_micros(20);

/// Pause before a hop between parked executors: long enough for both to park.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// Latencies of messages there and back between two executors, one at a time, for `duration`.
///
/// # Errors
/// If the executors cannot be started.
pub(super) fn measure(load: Load, duration: Duration) -> Result<Latencies> {
    let executors = start(2, &options(load), move |runtime, shard| async move {
        if load == Load::Busy {
            runtime.spawn(Priority::Foreground, work(runtime.clone()));
        }
        match shard {
            ASKING => Some(ask(&runtime, load, duration).await),
            _ => {
                answer(&runtime).await;
                None
            }
        }
    })?;
    Ok(executors.join().into_iter().flatten().next().expect("one executor asks"))
}

/// The executors' options under `load`.
pub(super) fn options(load: Load) -> RuntimeOptions {
    let spin_before_park = if load == Load::Spinning { 2 * PAUSE } else { Duration::ZERO };
    RuntimeOptions { spin_before_park, ..RuntimeOptions::default() }
}

/// Keeps an executor busy in small pieces, as requests do.
pub(super) async fn work(runtime: GlommioRuntime) {
    loop {
        let begin = runtime.now();
        while runtime.now().since(begin) < WORK {
            std::hint::spin_loop();
        }
        runtime.yield_now().await;
    }
}

async fn ask(runtime: &GlommioRuntime, load: Load, duration: Duration) -> Latencies {
    let mut latencies = Latencies::default();
    let begin = runtime.now();
    let mut token = 0;
    while runtime.now().since(begin) < duration {
        if load == Load::Parked {
            runtime.sleep(PAUSE).await;
        }
        let sent = runtime.now();
        let message = MeshMessage::Request { token, request: Request::CatalogFetch };
        runtime.mesh().try_send(ANSWERING, message).expect("one message at a time always has room");
        let reply = runtime.mesh().receive().await;
        latencies.record(runtime.now().since(sent));
        let is_reply =
            matches!(reply, Some((ANSWERING, MeshMessage::Reply { token: of, .. })) if of == token);
        assert!(is_reply, "the answer is the asked shard's, to this question");
        token += 1;
    }
    latencies
}

async fn answer(runtime: &GlommioRuntime) {
    while let Some((from, message)) = runtime.mesh().receive().await {
        let MeshMessage::Request { token, .. } = message else { unreachable!("only questions are sent") };
        let reply = MeshMessage::Reply { token, reply: Reply::CatalogDelta };
        runtime.mesh().try_send(from, reply).expect("one message at a time always has room");
    }
}
