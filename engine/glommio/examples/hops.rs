//! Prints what a hop costs here: between two idle executors over the mesh, from a thread into an executor
//! and back, and what aligned memory costs.
//!
//! `cargo run -p thalweg-runtime --example hops [busy]`: with `busy`, executors look for work for 100 µs
//! before they park.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use glommio::LocalExecutorBuilder;
use thalweg_engine::io::{Buffer, Mesh, Monotonic, Runtime};
use thalweg_engine::model::ShardId;
use thalweg_runtime::{
    Executors, GlommioRuntime, MeshEnd, ReplySlot, RuntimeOptions, mesh_sockets, reply_slot, start,
    thread_gateway,
};

const ROUNDS: usize = 2_000;
const PAUSE: Duration = Duration::from_micros(300);

fn main() {
    let spin = if std::env::args().any(|argument| argument == "busy") { 100 } else { 0 };
    let spin = Duration::from_micros(spin);
    mesh(spin);
    gateway(spin);
    memory();
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    println!("{what:42} p50 {:>9.1?}  p99 {:>9.1?}  max {:>9.1?}", at(500), at(990), at(1000));
}

/// One runtime on an executor of its own, for its clock.
fn with_runtime<O: Future<Output = ()> + 'static>(
    options: &RuntimeOptions,
    work: impl Fn(GlommioRuntime) -> O + Clone + Send + 'static,
) -> Executors<()> {
    start(1, options, move |runtime, _| work(runtime)).expect("an executor")
}

async fn ping(mesh: MeshEnd<Monotonic>, now: impl Fn() -> Monotonic) {
    let mut there = Vec::with_capacity(ROUNDS);
    let mut both = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        glommio::timer::sleep(PAUSE).await;
        let begin = now();
        mesh.try_send(ShardId(1), begin).expect("room");
        let (_, arrived) = mesh.receive().await.expect("the peer lives");
        there.push(arrived.since(begin));
        both.push(now().since(begin));
    }
    report("mesh, one way between idle executors", there);
    report("mesh, there and back", both);
}

fn mesh(spin: Duration) {
    let handles: Vec<_> = mesh_sockets::<Monotonic>(2, 128)
        .into_iter()
        .enumerate()
        .map(|(index, socket)| {
            LocalExecutorBuilder::default()
                .spin_before_park(spin)
                .spawn(move || async move {
                    let mesh = socket.connect();
                    if index == 0 {
                        return ping(mesh, clock).await;
                    }
                    while let Some((from, _)) = mesh.receive().await {
                        mesh.try_send(from, clock()).expect("room");
                    }
                })
                .expect("an executor")
        })
        .collect();
    for handle in handles {
        handle.join().expect("no panic");
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement on threads of its own")]
fn clock() -> Monotonic {
    use std::sync::LazyLock;
    use std::time::Instant;
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    Monotonic(BEGIN.elapsed().as_nanos() as u64)
}

#[expect(clippy::disallowed_methods, reason = "lets the executor park between two requests")]
fn gateway(spin: Duration) {
    let (sender, receiver) = thread_gateway::<ReplySlot<Monotonic>>(16);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let options = RuntimeOptions { pin: false, spin_before_park: spin, ..RuntimeOptions::default() };
    let executors = with_runtime(&options, move |_| {
        let receiver = receiver.lock().expect("one executor").take().expect("one executor");
        async move {
            while let Some(reply) = receiver.receive().await {
                reply.send(clock());
            }
        }
    });
    let mut there = Vec::with_capacity(ROUNDS);
    let mut both = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        std::thread::sleep(PAUSE);
        let (slot, reply) = reply_slot();
        let begin = clock();
        sender.send(slot).expect("the executor lives");
        let arrived = reply.wait().expect("the executor answers");
        there.push(arrived.since(begin));
        both.push(clock().since(begin));
    }
    drop(sender);
    executors.join();
    report("gateway, thread into an idle executor", there);
    report("gateway, there and back", both);
}

fn memory() {
    for registered in [16 << 20, 96 << 20] {
        let options = RuntimeOptions {
            pin: false,
            registered_memory_bytes: Some(registered),
            ..RuntimeOptions::default()
        };
        with_runtime(&options, move |runtime| async move {
            for size in [4 << 10, 64 << 10, 1 << 20] {
                for kept in [1, 64] {
                    let what =
                        format!("{} KiB zeroed, {kept} kept, {} MiB reg.", size >> 10, registered >> 20);
                    report(&what, allocations(&runtime, size, kept));
                }
            }
        })
        .join();
    }
}

/// Times of allocations while the `kept` newest buffers are still held.
fn allocations(runtime: &GlommioRuntime, size: usize, kept: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(ROUNDS);
    let mut held = std::collections::VecDeque::new();
    for _ in 0..ROUNDS {
        let begin = runtime.now();
        let mut buffer = runtime.allocate(size);
        times.push(runtime.now().since(begin));
        buffer.bytes_mut().fill(1);
        held.push_back(buffer);
        if held.len() > kept {
            held.pop_front();
        }
    }
    times
}
