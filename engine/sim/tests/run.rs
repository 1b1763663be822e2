//! The executor, the clocks and the driver.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::{File, FileKind, Monotonic, OpenMode, Priority, Runtime};
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::model::ShardId;
use thalweg_sim::{Chance, Crash, FaultConfig, RunEnd, SimRuntime, StopAt, World, WorldConfig};

/// Writes, flushes and sleeps, so that every part of the world has something to decide.
async fn busy(runtime: SimRuntime) {
    let path = format!("/data/file-{}", runtime.shard());
    let kind = FileKind::Log { write_through: runtime.random().is_multiple_of(2) };
    let Ok(file) = runtime.open(Path::new(&path), kind, OpenMode::Create).await else { return };
    for round in 0..20 {
        let other = file.clone();
        let buffer = Rc::new(runtime.allocate(2 * BLOCK_SIZE));
        runtime.spawn(Priority::Background, async move {
            let _ = other.write_at(buffer, round * 2 * BLOCK_SIZE as u64).await;
        });
        runtime.sleep(Duration::from_micros(runtime.random() % 300)).await;
        let _ = file.flush().await;
        runtime.mark("round");
    }
}

fn busy_hash(seed: u64) -> u64 {
    let world = World::new(seed, WorldConfig::swarm(seed));
    for _ in 0..3 {
        world.start(3, busy);
        world.run_until(StopAt::Poll(200));
        world.crash(Crash::Power);
    }
    world.trace_hash()
}

#[test]
fn the_same_seed_gives_the_same_run_and_others_differ() {
    let hashes: Vec<u64> = (0..20).map(busy_hash).collect();
    let again: Vec<u64> = (0..20).map(busy_hash).collect();
    assert_eq!(hashes, again);
    let distinct: std::collections::BTreeSet<u64> = hashes.into_iter().collect();
    assert_eq!(distinct.len(), 20);
}

#[test]
fn time_jumps_to_the_next_timer_and_timers_end_in_order() {
    let world = World::new(1, WorldConfig::calm());
    let ended = Rc::new(RefCell::new(Vec::new()));
    let list = Rc::clone(&ended);
    world.start(1, move |runtime| {
        for hours in [3_u64, 1, 2] {
            let (sleeper, list) = (runtime.clone(), Rc::clone(&list));
            runtime.spawn(Priority::Foreground, async move {
                sleeper.sleep(Duration::from_secs(hours * 3600)).await;
                list.borrow_mut().push(hours);
            });
        }
        async move {
            let began = runtime.now();
            runtime.sleep(Duration::from_secs(4 * 3600)).await;
            assert!(runtime.now().since(began) >= Duration::from_secs(4 * 3600));
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    assert_eq!(*ended.borrow(), [1, 2, 3]);
    assert!(world.elapsed() < Duration::from_secs(4 * 3600 + 5), "{:?}", world.elapsed());
}

#[test]
#[should_panic(expected = "seed 11: deadlock: 2 tasks wait for each other")]
fn a_deadlock_fails_with_the_seed() {
    let world = World::new(11, WorldConfig::calm());
    world.start(2, |_| std::future::pending::<()>());
    world.run_until(StopAt::Exit);
}

#[test]
#[should_panic(expected = "seed 12: hung: still running after 1000 polls")]
fn a_hang_fails_with_the_seed() {
    let world = World::new(12, WorldConfig { polls_max: 1000, ..WorldConfig::calm() });
    world.start(1, |runtime| async move {
        loop {
            runtime.yield_now().await;
        }
    });
    world.run_until(StopAt::Exit);
}

#[test]
fn a_process_stops_at_the_asked_poll_and_its_tasks_are_dropped_by_a_crash() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let world = World::new(2, WorldConfig::calm());
    let (polls, dropped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (counted, watched) = (Rc::clone(&polls), Rc::clone(&dropped));
    world.start(1, move |runtime| {
        let (polls, guard) = (Rc::clone(&counted), Dropped(Rc::clone(&watched)));
        async move {
            let _guard = guard;
            loop {
                polls.set(polls.get() + 1);
                runtime.yield_now().await;
            }
        }
    });
    assert_eq!(world.run_until(StopAt::Poll(7)), RunEnd::Stopped);
    assert_eq!(polls.get(), 7);
    assert_eq!(world.run_until(StopAt::Poll(3)), RunEnd::Stopped);
    assert_eq!(polls.get(), 10);
    assert!(!dropped.get());
    world.crash(Crash::Process);
    assert!(dropped.get());
    assert!(!world.is_running());
}

#[test]
fn a_process_stops_at_the_asked_mark_and_no_later_await_is_passed() {
    let world = World::new(3, WorldConfig::calm());
    let reached = Rc::new(Cell::new(0));
    let counter = Rc::clone(&reached);
    world.start(1, move |runtime| {
        let reached = Rc::clone(&counter);
        async move {
            for step in 1..10 {
                runtime.mark("step");
                runtime.mark("other");
                reached.set(step);
                runtime.yield_now().await;
            }
        }
    });
    assert_eq!(world.run_until(StopAt::Mark { event: "step", count: 4 }), RunEnd::Stopped);
    assert_eq!(reached.get(), 4);
    assert_eq!(world.coverage().of("step"), 4);
}

#[test]
fn a_process_stops_at_the_asked_disk_operation() {
    let world = World::new(4, WorldConfig::calm());
    let ended = Rc::new(Cell::new(0));
    let counter = Rc::clone(&ended);
    world.start(1, move |runtime| {
        let ended = Rc::clone(&counter);
        async move {
            loop {
                runtime.create_folder(Path::new("/data/x")).await.unwrap();
                ended.set(ended.get() + 1);
            }
        }
    });
    assert_eq!(world.run_until(StopAt::DiskIssue(5)), RunEnd::Stopped);
    assert_eq!(ended.get(), 4);
    // The fifth is answered, its waiter has not run.
    assert_eq!(world.run_until(StopAt::DiskCompletion(1)), RunEnd::Stopped);
    assert_eq!(ended.get(), 4);
}

#[test]
fn a_halt_ends_the_process_with_its_reason_and_at_once_unless_asked_otherwise() {
    for polls_after_halt in [0, 50] {
        let world = World::new(5, WorldConfig { polls_after_halt, ..WorldConfig::calm() });
        let polls = Rc::new(Cell::new(0));
        let counter = Rc::clone(&polls);
        world.start(1, move |runtime| {
            let polls = Rc::clone(&counter);
            async move {
                runtime.halt("flush failed");
                runtime.halt("too late to be the reason");
                loop {
                    polls.set(polls.get() + 1);
                    runtime.yield_now().await;
                }
            }
        });
        let end = world.run_until(StopAt::Exit);
        assert_eq!(end, RunEnd::Halted { shard: ShardId(0), reason: "flush failed".to_owned() });
        assert_eq!(polls.get(), polls_after_halt.max(1));
        assert!(!world.is_running());
    }
}

#[test]
fn a_halted_process_that_stands_still_is_no_deadlock() {
    let world = World::new(5, WorldConfig { polls_after_halt: 50, ..WorldConfig::calm() });
    world.start(1, |runtime| async move {
        runtime.halt("broken");
        std::future::pending::<()>().await;
    });
    assert!(matches!(world.run_until(StopAt::Exit), RunEnd::Halted { .. }));
}

#[test]
fn a_paused_shard_stands_still_while_others_run() {
    let world = World::new(6, WorldConfig::calm());
    let polls = Rc::new(RefCell::new([0_u64; 2]));
    let counter = Rc::clone(&polls);
    world.start(2, move |runtime| {
        let polls = Rc::clone(&counter);
        async move {
            loop {
                polls.borrow_mut()[usize::from(runtime.shard().0)] += 1;
                runtime.yield_now().await;
            }
        }
    });
    world.pause(ShardId(0), Duration::from_millis(1));
    world.run_until(StopAt::Time(Duration::from_micros(900)));
    let [paused, other] = *polls.borrow();
    assert_eq!(paused, 0);
    assert!(other > 100, "{other}");
    world.run_until(StopAt::Time(Duration::from_millis(1)));
    assert!(polls.borrow()[0] > 100);
}

#[test]
fn the_wall_clock_moves_apart_from_the_monotonic_one() {
    let world = World::new(7, WorldConfig::calm());
    let seen = Rc::new(RefCell::new(Vec::<(Monotonic, i64)>::new()));
    let list = Rc::clone(&seen);
    world.start(1, move |runtime| {
        let list = Rc::clone(&list);
        async move {
            loop {
                list.borrow_mut().push((runtime.now(), runtime.wall_clock().0));
                runtime.sleep(Duration::from_secs(1)).await;
            }
        }
    });
    let second = |world: &World| world.run_until(StopAt::Time(Duration::from_secs(1)));
    second(&world);
    world.step_wall_clock(-60_000);
    second(&world);
    world.stop_wall_clock(true);
    second(&world);
    second(&world);
    world.stop_wall_clock(false);
    second(&world);
    let seen = seen.borrow();
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0));
    assert!(seen.windows(2).any(|pair| pair[1].1 < pair[0].1 - 50_000), "{seen:?}");
    assert!(seen.windows(2).any(|pair| pair[1].1 == pair[0].1), "{seen:?}");
    assert!(seen.last().unwrap().1 > seen[seen.len() - 3].1, "{seen:?}");
}

#[test]
fn swarms_reach_every_fault_of_the_executor() {
    let mut coverage = thalweg_sim::Coverage::new();
    for seed in 0..60 {
        let world = World::new(seed, WorldConfig::swarm(seed));
        world.start(2, |runtime| async move {
            for _ in 0..200 {
                runtime.spawn(Priority::Background, runtime.sleep(Duration::from_micros(50)));
                runtime.wall_clock();
                if runtime.should_yield() {
                    runtime.yield_now().await;
                }
                runtime.sleep(Duration::from_micros(5)).await;
            }
        });
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
        coverage.merge(&world.coverage());
    }
    coverage.assert_covered(&[
        "clock.wall_ahead",
        "clock.wall_back",
        "clock.wall_stopped",
        "run.paused",
        "run.reordered",
        "run.spurious_poll",
        "run.yield_asked",
        "run.yield_late",
    ]);
}

#[test]
fn what_a_gone_process_left_behind_does_nothing() {
    let world = World::new(8, WorldConfig::calm());
    let kept = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&kept);
    world.start(1, move |runtime| {
        *slot.borrow_mut() = Some(runtime.clone());
        std::future::pending::<()>()
    });
    world.run_until(StopAt::Poll(1));
    world.crash(Crash::Process);
    let stale = kept.borrow_mut().take().unwrap();
    let ran = Rc::new(Cell::new(false));
    let flag = Rc::clone(&ran);
    stale.spawn(Priority::Foreground, async move { flag.set(true) });
    stale.halt("not mine to end");
    world.start(1, |runtime| async move { runtime.sleep(Duration::from_secs(1)).await });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    assert!(!ran.get());
}

#[test]
fn a_seed_that_fails_names_the_command_that_replays_it() {
    let world = World::new(99, WorldConfig { replay: "run {seed}".to_owned(), ..WorldConfig::calm() });
    assert_eq!(world.replay(), "run 99");
    world.start(1, busy);
    world.run_until(StopAt::Mark { event: "round", count: 2 });
    assert!(world.trace().lines().any(|line| line.contains("flush")), "{}", world.trace());
}

#[test]
fn reordering_makes_tasks_overtake_each_other() {
    let order = |chance| {
        let faults = FaultConfig { reordered_task: chance, ..FaultConfig::calm() };
        let world = World::new(1, WorldConfig { faults, ..WorldConfig::calm() });
        let order = Rc::new(RefCell::new(Vec::new()));
        let list = Rc::clone(&order);
        world.start(1, move |runtime| {
            for number in 0..10 {
                let list = Rc::clone(&list);
                runtime.spawn(Priority::Foreground, async move { list.borrow_mut().push(number) });
            }
            async move { runtime.sleep(Duration::from_secs(1)).await }
        });
        world.run_until(StopAt::Exit);
        order.take()
    };
    assert!(order(Chance::NEVER).is_sorted());
    assert!(!order(Chance::ALWAYS).is_sorted());
}
