//! One executor thread per shard-log.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, PoolPlacement};
use thalweg_engine::limits::{MESH_CAPACITY, SHARDS_MAX};
use thalweg_engine::model::ShardId;
use thalweg_engine::shard::MeshMessage;

use crate::cpu;
use crate::lock::FolderLock;
use crate::mesh::{MeshSocket, mesh_sockets};
use crate::options::{REGISTERED_MEMORY_DEFAULT, RuntimeOptions};
use crate::preflight::{self, PreflightError};
use crate::pulse::{self, Pulse};
use crate::runtime::{GlommioRuntime, foreground_queue};
use crate::tasks::{Panic, PanicHook, panic_message};

/// Why no executor was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The number of shards is zero or above the limit.
    #[error("{shards} shards: must be 1 to {}", SHARDS_MAX)]
    ShardCount {
        /// As asked for.
        shards: u16,
    },
    /// The machine lacks something.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The thread that watches the executors could not be made.
    #[error("the thread that watches the executors could not be started: {message}")]
    Thread {
        /// The cause, in the operating system's words.
        message: String,
    },
    /// A thread or its rings could not be made.
    #[error("the executor of shard {shard} could not be started: {message}")]
    Executor {
        /// Whose executor.
        shard: ShardId,
        /// The cause, in the operating system's or glommio's words.
        message: String,
    },
}

type Outcome<T> = (ShardId, Result<T, Panic>);

/// Called with the shard and the message of its panic, on its thread, before its tasks are dropped.
pub(crate) type ShardPanicHook = Arc<dyn Fn(ShardId, &str) + Send + Sync>;

/// What goes with executors from their start to their end.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    /// Let go of when the last executor has ended, and its last disk operation.
    pub(crate) keep: Option<Arc<FolderLock>>,
    /// Hears of panics.
    pub(crate) on_panic: Option<ShardPanicHook>,
}

impl Watch {
    fn panicked(&self, shard: ShardId, message: &str) {
        if let Some(hook) = &self.on_panic {
            hook(shard, message);
        }
    }
}

/// Longest time slice of the queue that runs only an executor's first and last steps: never, so that nothing
/// interrupts it before there is a [`Pulse`].
const UNINTERRUPTED: Duration = Duration::from_secs(3600);

/// Running executors. Dropping it leaves them running.
#[must_use = "joining is how a panic of a shard is noticed"]
pub struct Executors<T> {
    shards: usize,
    outcomes: flume::Receiver<Outcome<T>>,
    threads: Vec<JoinHandle<()>>,
    notes: Vec<String>,
}

impl<T> Executors<T> {
    /// What an operator should know about how the executors run, a sentence each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Waits until every shard's main future has ended; their outputs, in the order of the shards.
    ///
    /// # Panics
    /// With the panic of the first shard that panicked, without waiting for the others.
    pub fn join(self) -> Vec<T> {
        let outputs = self.ended(|panic| resume_unwind(panic));
        outputs.into_iter().map(|output| output.expect("a panic was passed on")).collect()
    }

    /// Waits until every shard has ended; their outputs or panics, in the order of the shards.
    pub(crate) fn outcomes(self) -> Vec<Result<T, Panic>> {
        self.ended(|panic| panic)
    }

    /// Whether this thread is one of the executors'.
    pub(crate) fn is_this_thread(&self) -> bool {
        let this = std::thread::current().id();
        self.threads.iter().any(|thread| thread.thread().id() == this)
    }

    /// Waits until every shard has ended; a panic goes through `panicked` as soon as it is known.
    fn ended(self, panicked: impl Fn(Panic) -> Panic) -> Vec<Result<T, Panic>> {
        let mut ended: Vec<Option<Result<T, Panic>>> = (0..self.shards).map(|_| None).collect();
        for _ in 0..self.shards {
            let (shard, outcome) = self.outcomes.recv().expect("every executor reports its end");
            ended[usize::from(shard.0)] = Some(outcome.map_err(&panicked));
        }
        for thread in self.threads {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
        ended.into_iter().map(|outcome| outcome.expect("one outcome per shard")).collect()
    }
}

/// Starts `shards` executors, connects their mesh, and runs `main(runtime, shard)` on each.
///
/// When a shard's main future ends, or one of its tasks panics, its tasks are dropped and its disk operations in
/// flight are awaited; then its thread ends. Returns when every executor has been made. Of each executor that has
/// ended, one event descriptor stays open until the process ends (glommio 0.9.0 leaks it).
///
/// # Errors
/// [`StartError`]; no executor is left running.
pub fn start<F, O, T>(shards: u16, options: &RuntimeOptions, main: F) -> Result<Executors<T>, StartError>
where
    F: Fn(GlommioRuntime, ShardId) -> O + Clone + Send + 'static,
    O: Future<Output = T> + 'static,
    T: Send + 'static,
{
    start_watched(shards, options, &Watch::default(), main)
}

/// As [`start`], with what `watch` says.
pub(crate) fn start_watched<F, O, T>(
    shards: u16,
    options: &RuntimeOptions,
    watch: &Watch,
    main: F,
) -> Result<Executors<T>, StartError>
where
    F: Fn(GlommioRuntime, ShardId) -> O + Clone + Send + 'static,
    O: Future<Output = T> + 'static,
    T: Send + 'static,
{
    if shards == 0 || shards > SHARDS_MAX {
        return Err(StartError::ShardCount { shards });
    }
    preflight::check_machine(shards)?;
    let (placements, notes) = placements(shards, options.pin);
    let (made, all_made) = mpsc::channel();
    let (report, outcomes) = flume::unbounded();
    let (running, watched) = mpsc::channel();
    let mut pulses = Vec::with_capacity(usize::from(shards));
    let mut threads = Vec::with_capacity(usize::from(shards));
    let mut permits = Vec::with_capacity(usize::from(shards));
    let sockets = mesh_sockets::<MeshMessage>(shards, MESH_CAPACITY);
    for (socket, (shard, placement)) in sockets.into_iter().zip((0..shards).map(ShardId).zip(placements)) {
        let (permit, permitted) = mpsc::channel::<()>();
        let pulse = Arc::<Pulse>::default();
        pulses.push(Arc::clone(&pulse));
        let (options, watch, running) = (options.clone(), watch.clone(), running.clone());
        let plan = Plan { shard, placement, options, socket, pulse, running, watch };
        let (made, report, main) = (made.clone(), report.clone(), main.clone());
        let thread = std::thread::Builder::new().name(format!("shard-{shard}")).spawn(move || {
            let Some(executor) = plan.make(made) else { return };
            // An error here: another executor could not be made, and `start` has given up.
            if permitted.recv().is_ok() {
                plan.run(executor, main, &report);
            }
        });
        threads.push(thread.map_err(|error| StartError::Executor { shard, message: error.to_string() })?);
        permits.push(permit);
    }
    drop((made, running));
    for outcome in all_made {
        outcome?;
    }
    let watching = std::thread::Builder::new().name("pulse".to_owned());
    let watching = watching.spawn(move || pulse::watch(&pulses, &watched));
    threads.push(watching.map_err(|error| StartError::Thread { message: error.to_string() })?);
    for permit in &permits {
        permit.send(()).expect("an executor that was made waits for its permit");
    }
    Ok(Executors { shards: usize::from(shards), outcomes, threads, notes })
}

/// Everything that one executor thread needs.
struct Plan {
    shard: ShardId,
    placement: Placement,
    options: RuntimeOptions,
    socket: MeshSocket<MeshMessage>,
    pulse: Arc<Pulse>,
    /// Held as long as the executor runs.
    running: mpsc::Sender<()>,
    watch: Watch,
}

impl Plan {
    /// The executor, or `None` after the failure was reported. Lets go of `made`, whose end is awaited.
    fn make(&self, made: mpsc::Sender<Result<(), StartError>>) -> Option<LocalExecutor> {
        let executor = LocalExecutorBuilder::new(self.placement.clone())
            .name(&format!("shard-{}", self.shard))
            .io_memory(self.options.registered_memory_bytes.unwrap_or(REGISTERED_MEMORY_DEFAULT))
            .preempt_timer(UNINTERRUPTED)
            .spin_before_park(self.options.spin_before_park)
            .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
            .make();
        let (outcome, executor) = match executor {
            Ok(executor) => (Ok(()), Some(executor)),
            Err(error) => (Err(StartError::Executor { shard: self.shard, message: error.to_string() }), None),
        };
        // Nobody listens any more if another executor failed first.
        let _ = made.send(outcome);
        executor
    }

    /// Runs `main` to its end and reports its output or its panic.
    fn run<F, O, T>(self, executor: LocalExecutor, main: F, report: &flume::Sender<Outcome<T>>)
    where
        F: Fn(GlommioRuntime, ShardId) -> O + 'static,
        O: Future<Output = T> + 'static,
        T: 'static,
    {
        let Self { shard, options, socket, pulse, running, watch, .. } = self;
        let (watching, beating) = (watch.clone(), Arc::clone(&pulse));
        let on_panic: PanicHook = Rc::new(move |message: &str| watching.panicked(shard, message));
        let made = Rc::<RefCell<Option<GlommioRuntime>>>::default();
        let making = Rc::clone(&made);
        // Panics of tasks are caught where they are polled: one that comes here is glommio's own.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            executor.run(async move {
                let foreground = foreground_queue(options.time_slice);
                beating.install(foreground);
                let shard_main = async move {
                    // The timer that interrupts is set anew between two looks at I/O: the first slice of this queue
                    // would still be an uninterrupted one.
                    glommio::timer::Timer::new(Duration::from_micros(1)).await;
                    let mesh = socket.connect();
                    let runtime = GlommioRuntime::new(shard, options, foreground, mesh, beating, on_panic);
                    *making.borrow_mut() = Some(runtime.clone());
                    let handed = runtime.clone();
                    let running = runtime.run(async move {
                        let running = main(handed, shard);
                        drop(main);
                        running.await
                    });
                    let outcome = running.await;
                    runtime.close().await;
                    making.take();
                    outcome
                };
                glommio::executor()
                    .spawn_local_into(shard_main, foreground)
                    .expect("the queue was just made")
                    .await
            })
        }));
        pulse.retire();
        drop(running);
        let outcome = match outcome {
            Ok(outcome) => {
                drop(executor);
                drop(watch.keep);
                outcome
            }
            Err(panic) => {
                watch.panicked(shard, panic_message(&panic));
                if let Some(runtime) = made.take() {
                    runtime.abandon();
                }
                // Its rings and its memory stay, and what is kept for it: the device may still use them.
                std::mem::forget((executor, watch));
                Err(panic)
            }
        };
        // Nobody listens any more if another shard panicked first.
        let _ = report.send((shard, outcome));
    }
}

/// Where each executor runs, and what to say about it.
fn placements(shards: u16, pin: bool) -> (Vec<Placement>, Vec<String>) {
    let shards = usize::from(shards);
    if !pin {
        return (vec![Placement::Unbound; shards], Vec::new());
    }
    let cores = cpu::allowed();
    if shards > cores.len() {
        let note = format!(
            "{shards} shards on {} cores: executors are not bound to cores, and will share them",
            cores.len()
        );
        return (vec![Placement::Unbound; shards], vec![note]);
    }
    (cores.into_iter().take(shards).map(Placement::Fixed).collect(), Vec::new())
}
