//! Executors, tasks, mesh and gateway.

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{TestFolder, on_executor, options};
use glommio::LocalExecutorBuilder;
use thalweg_engine::io::{Mesh, MeshFull, Priority, Runtime};
use thalweg_engine::model::ShardId;
use thalweg_runtime::{
    FolderLock, GatewayClosed, LockError, MeshSocket, ReplyLost, ReplySlot, RuntimeOptions, StartError,
    TrySendError, mesh_sockets, reply_slot, start, thread_gateway,
};

#[test]
fn every_shard_runs_its_main_on_its_own_thread() {
    let executors = start(3, &options(), |runtime, shard| async move {
        assert_eq!(runtime.shard(), shard);
        (shard, std::thread::current().name().map(str::to_owned))
    })
    .unwrap();
    let outputs = executors.join();
    let expected: Vec<_> = (0..3).map(|shard| (ShardId(shard), Some(format!("shard-{shard}")))).collect();
    assert_eq!(outputs, expected);
}

#[test]
fn more_shards_than_cores_run_unpinned_with_a_note() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let options = RuntimeOptions { pin: true, ..options() };
    let executors = start(u16::try_from(cores).unwrap() + 1, &options, |_, _| async {}).unwrap();
    assert_eq!(executors.notes().len(), 1);
    assert!(executors.notes()[0].contains("not bound to cores"), "{:?}", executors.notes());
    executors.join();
    let executors = start(1, &options, |_, _| async {}).unwrap();
    assert!(executors.notes().is_empty());
    executors.join();
}

#[test]
fn no_shards_are_refused() {
    let started = start(0, &options(), |_, _| async {});
    assert!(matches!(started.err(), Some(StartError::ShardCount { shards: 0 })));
}

#[test]
fn a_panic_in_a_spawned_task_reaches_join() {
    let executors = start(2, &options(), |runtime, shard| async move {
        if shard == ShardId(1) {
            runtime.spawn(Priority::Background, async { panic!("broken invariant") });
        }
        std::future::pending::<()>().await;
    })
    .unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| executors.join())).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"broken invariant"));
}

#[test]
fn tasks_are_dropped_when_main_ends() {
    struct Notice(Arc<AtomicU64>);
    impl Drop for Notice {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&dropped);
    on_executor(&options(), move |runtime| {
        let dropped = Arc::clone(&dropped);
        async move {
            for priority in [Priority::Foreground, Priority::Background] {
                let notice = Notice(Arc::clone(&dropped));
                let started = Rc::new(Cell::new(false));
                let start = Rc::clone(&started);
                runtime.spawn(priority, async move {
                    start.set(true);
                    std::future::pending::<()>().await;
                    drop(notice);
                });
                while !started.get() {
                    runtime.yield_now().await;
                }
            }
            assert_eq!(dropped.load(Ordering::Relaxed), 0);
        }
    });
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}

#[test]
fn a_task_that_never_stops_working_is_asked_to_yield() {
    on_executor(&options(), |runtime| async move {
        let asked = Rc::new(Cell::new(0));
        let counter = Rc::clone(&asked);
        let worker = runtime.clone();
        runtime.spawn(Priority::Background, async move {
            loop {
                if worker.should_yield() {
                    counter.set(counter.get() + 1);
                    worker.yield_now().await;
                }
            }
        });
        while asked.get() < 5 {
            runtime.sleep(Duration::from_micros(100)).await;
        }
    });
}

#[test]
fn an_executor_whose_time_slice_ends_at_once_goes_on() {
    // Short enough to end, now and then, before the first task of a turn has run.
    let options = RuntimeOptions { time_slice: Duration::from_micros(20), ..options() };
    let folder = TestFolder::new();
    let path = folder.path().to_path_buf();
    on_executor(&options, move |runtime| {
        let path = path.clone();
        async move {
            for _ in 0..2_000 {
                assert_eq!(runtime.list_folder(&path).await.unwrap(), Vec::<String>::new());
            }
        }
    });
}

#[test]
fn clocks_advance_and_random_numbers_differ() {
    on_executor(&options(), |runtime| async move {
        let before = runtime.now();
        runtime.sleep(Duration::from_millis(2)).await;
        assert!(runtime.now().since(before) >= Duration::from_millis(2));
        assert!(runtime.wall_clock().0 > 1_700_000_000_000, "milliseconds since 1970");
        assert_ne!(runtime.random(), runtime.random());
    });
}

#[test]
fn a_halt_calls_the_embedders_hook_with_the_reason() {
    let halted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&halted);
    let options = RuntimeOptions {
        on_halt: Some(Arc::new(move |reason: &str| {
            halted.store(reason == "write failed", Ordering::Relaxed);
        })),
        ..options()
    };
    on_executor(&options, |runtime| async move { runtime.halt("write failed") });
    assert!(seen.load(Ordering::Relaxed));
}

/// Runs `test` on an executor with each of `sockets`.
fn on_mesh<F, O>(sockets: Vec<MeshSocket<u64>>, test: F)
where
    F: Fn(thalweg_runtime::MeshEnd<u64>, usize) -> O + Clone + Send + 'static,
    O: Future<Output = ()> + 'static,
{
    let executors: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(index, socket)| {
            let test = test.clone();
            LocalExecutorBuilder::default()
                .io_memory(1 << 16)
                .spawn(move || async move { test(socket.connect(), index).await })
                .unwrap()
        })
        .collect();
    for executor in executors {
        executor.join().unwrap();
    }
}

#[test]
fn messages_of_a_pair_arrive_in_the_order_sent() {
    const MESSAGES: u64 = 5_000;
    on_mesh(mesh_sockets(3, 16), |mesh, index| async move {
        if index > 0 {
            for number in 0..MESSAGES {
                let mut message = number;
                while let Err(MeshFull(back)) = mesh.try_send(ShardId(0), message) {
                    message = back;
                    glommio::executor().yield_now().await;
                }
            }
            return;
        }
        let mut next = [0; 3];
        while let Some((from, message)) = mesh.receive().await {
            assert_eq!(message, next[usize::from(from.0)]);
            next[usize::from(from.0)] += 1;
        }
        assert_eq!(next, [0, MESSAGES, MESSAGES]);
    });
}

#[test]
fn a_full_channel_gives_the_message_back() {
    let seen_full = Arc::new(AtomicBool::new(false));
    on_mesh(mesh_sockets(2, 4), move |mesh, index| {
        let seen_full = Arc::clone(&seen_full);
        async move {
            if index == 0 {
                for number in 0..4 {
                    mesh.try_send(ShardId(1), number).unwrap();
                }
                let MeshFull(back) = mesh.try_send(ShardId(1), 4).unwrap_err();
                assert_eq!(back, 4);
                seen_full.store(true, Ordering::Release);
                assert_eq!(mesh.receive().await, Some((ShardId(1), 100)));
                mesh.try_send(ShardId(1), 5).unwrap();
                return;
            }
            while !seen_full.load(Ordering::Acquire) {
                glommio::executor().yield_now().await;
            }
            for expected in 0..4 {
                assert_eq!(mesh.receive().await, Some((ShardId(0), expected)));
            }
            mesh.try_send(ShardId(0), 100).unwrap();
            assert_eq!(mesh.receive().await, Some((ShardId(0), 5)));
            assert_eq!(mesh.receive().await, None);
        }
    });
}

#[test]
fn a_lone_shard_has_nobody_to_hear_from() {
    on_mesh(mesh_sockets(1, 4), |mesh, _| async move {
        assert_eq!(mesh.receive().await, None);
    });
}

#[test]
fn a_message_to_a_shard_that_has_gone_is_dropped() {
    on_mesh(mesh_sockets(2, 4), |mesh, index| async move {
        if index == 0 {
            assert_eq!(mesh.receive().await, None);
            for number in 0..10 {
                mesh.try_send(ShardId(1), number).unwrap();
            }
        }
    });
}

#[derive(Debug)]
enum Request {
    Double(u64, ReplySlot<u64>),
    Stop,
}

#[test]
fn threads_are_answered_through_the_gateway() {
    let (sender, receiver) = thread_gateway::<Request>(8);
    let receiver = Arc::new(std::sync::Mutex::new(Some(receiver)));
    let executors = start(1, &options(), move |_, _| {
        let receiver = receiver.lock().unwrap().take().unwrap();
        async move {
            let mut answered = 0;
            while let Some(Request::Double(number, reply)) = receiver.receive().await {
                reply.send(number * 2);
                answered += 1;
            }
            answered
        }
    })
    .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let sender = sender.clone();
            scope.spawn(move || {
                for number in thread * 1000..thread * 1000 + 500 {
                    let (slot, reply) = reply_slot();
                    sender.send(Request::Double(number, slot)).unwrap();
                    assert_eq!(reply.wait(), Ok(number * 2));
                }
            });
        }
    });
    sender.send(Request::Stop).unwrap();
    assert_eq!(executors.join(), [2000]);
}

#[test]
fn threads_learn_that_the_shard_has_ended() {
    let (sender, receiver) = thread_gateway::<Request>(8);
    let receiver = Arc::new(std::sync::Mutex::new(Some(receiver)));
    let (kept, reply) = reply_slot();
    sender.send(Request::Double(1, kept)).unwrap();
    let executors = start(1, &options(), move |runtime, _| {
        let receiver = receiver.lock().unwrap().take().unwrap();
        async move {
            // A task that holds an unanswered request and the gateway, and never ends.
            runtime.spawn(Priority::Foreground, async move {
                let request = receiver.receive().await;
                std::future::pending::<()>().await;
                drop((request, receiver));
            });
            runtime.yield_now().await;
        }
    })
    .unwrap();
    executors.join();
    assert_eq!(reply.wait(), Err(ReplyLost));
    assert!(matches!(sender.send(Request::Stop), Err(GatewayClosed(Request::Stop))));
    assert!(matches!(sender.try_send(Request::Stop), Err(TrySendError::Closed(Request::Stop))));
}

#[test]
fn what_is_queued_when_the_shard_ends_goes_with_it() {
    let (sender, receiver) = thread_gateway::<Request>(1);
    let (first, second) = (reply_slot(), reply_slot());
    sender.send(Request::Double(1, first.0)).unwrap();
    std::thread::scope(|scope| {
        // Blocked, since the gateway is full, or too late: either way it is answered.
        scope.spawn(|| drop(sender.send(Request::Double(2, second.0))));
        drop(receiver);
    });
    assert_eq!(first.1.wait(), Err(ReplyLost));
    assert_eq!(second.1.wait(), Err(ReplyLost));
}

#[test]
fn a_full_gateway_gives_the_message_back() {
    let (sender, receiver) = thread_gateway::<u64>(2);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert!(matches!(sender.try_send(3), Err(TrySendError::Full(3))));
    assert_eq!(receiver.try_receive(), Some(1));
    sender.try_send(3).unwrap();
}

#[test]
fn a_held_folder_names_its_holder_and_a_freed_one_can_be_locked() {
    let folder = TestFolder::new();
    let lock = FolderLock::acquire(folder.path()).unwrap();
    let refused = FolderLock::acquire(folder.path()).unwrap_err();
    let LockError::Held { path, pid } = &refused else { panic!("held, not {refused:?}") };
    assert_eq!(path, folder.path());
    assert_eq!(*pid, std::process::id());
    assert!(refused.to_string().contains(&pid.to_string()));
    drop(lock);
    FolderLock::acquire(folder.path()).unwrap();
}

#[test]
fn removing_the_lock_file_unlocks_nothing() {
    let folder = TestFolder::new();
    let lock = FolderLock::acquire(folder.path()).unwrap();
    std::fs::remove_file(folder.join("LOCK")).unwrap();
    let refused = FolderLock::acquire(folder.path()).unwrap_err();
    let LockError::Held { pid, .. } = &refused else { panic!("held, not {refused:?}") };
    assert_eq!(*pid, std::process::id(), "as the kernel knows");
    drop(lock);
    FolderLock::acquire(folder.path()).unwrap();
}

#[test]
fn a_child_process_does_not_keep_the_lock() {
    let folder = TestFolder::new();
    let lock = FolderLock::acquire(folder.path()).unwrap();
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    drop(lock);
    let acquired = FolderLock::acquire(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    acquired.unwrap();
}

#[test]
fn a_folder_that_does_not_exist_cannot_be_locked() {
    let folder = TestFolder::new();
    let refused = FolderLock::acquire(&folder.join("missing"));
    assert!(matches!(refused, Err(LockError::Io { .. })));
}

#[test]
fn the_lock_outlasts_a_dead_holder_only_as_long_as_its_descriptors() {
    let folder = TestFolder::new();
    // A process that holds the lock's descriptor without being the one named: as after kill -9, when the
    // kernel still works for it.
    let lock = FolderLock::acquire(folder.path()).unwrap();
    std::fs::write(folder.join("LOCK"), "4194305\n").unwrap();
    let freed = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| FolderLock::acquire(folder.path()));
        drop(lock);
        waiting.join().unwrap()
    });
    freed.unwrap();
}

#[test]
fn preflight_passes_where_these_tests_run() {
    let folder = TestFolder::new();
    thalweg_runtime::preflight::check_machine(2).unwrap();
    thalweg_runtime::preflight::check_direct_io(folder.path()).unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(names.is_empty(), "the check cleans up: {names:?}");
}

#[test]
fn a_folder_that_takes_no_files_is_named() {
    let refused = thalweg_runtime::preflight::check_direct_io(std::path::Path::new("/proc/self"));
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("/proc/self"), "{message}");
}
