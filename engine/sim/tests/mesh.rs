//! The mesh.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::{Mesh, Runtime};
use thalweg_engine::limits::MESH_CAPACITY;
use thalweg_engine::model::ShardId;
use thalweg_sim::{Crash, FaultConfig, RunEnd, SimMesh, StopAt, World, WorldConfig};

fn world(seed: u64) -> World {
    let faults = FaultConfig { mesh_delay_max: Duration::from_millis(1), ..FaultConfig::calm() };
    World::new(seed, WorldConfig { faults, ..WorldConfig::calm() })
}

/// What shard 0 receives when every other shard sends ten messages and goes.
fn received(seed: u64) -> Vec<(u16, u32)> {
    let world = world(seed);
    // The mesh belongs to the process, which must be there first.
    let ends: Rc<RefCell<Vec<SimMesh<u32>>>> = Rc::default();
    let (waiting, received) = (Rc::clone(&ends), Rc::new(RefCell::new(Vec::new())));
    let list = Rc::clone(&received);
    world.start(3, move |runtime| {
        let (ends, list) = (Rc::clone(&waiting), Rc::clone(&list));
        async move {
            let end = ends.borrow_mut().remove(0);
            if runtime.shard() == ShardId(0) {
                while let Some((from, message)) = end.receive().await {
                    list.borrow_mut().push((from.0, message));
                }
                return;
            }
            for message in 0..10 {
                end.try_send(ShardId(0), message).unwrap();
                runtime.sleep(Duration::from_micros(100)).await;
            }
        }
    });
    *ends.borrow_mut() = world.mesh(3);
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    received.take()
}

#[test]
fn messages_of_a_pair_arrive_in_order_and_all_before_the_end() {
    for seed in 0..50 {
        let received = received(seed);
        for shard in [1, 2] {
            let of_pair: Vec<u32> =
                received.iter().filter(|(from, _)| *from == shard).map(|(_, message)| *message).collect();
            assert_eq!(of_pair, (0..10).collect::<Vec<_>>(), "seed {seed}");
        }
    }
}

#[test]
fn messages_of_different_pairs_overtake_each_other() {
    let orders: std::collections::BTreeSet<Vec<u16>> =
        (0..50).map(|seed| received(seed).into_iter().map(|(from, _)| from).collect()).collect();
    assert!(orders.len() > 25, "{} orders in 50 seeds", orders.len());
}

#[test]
fn a_full_channel_gives_the_message_back() {
    let world = world(1);
    world.start(2, |_| std::future::pending::<()>());
    let ends = world.mesh::<usize>(2);
    for message in 0..MESH_CAPACITY {
        ends[0].try_send(ShardId(1), message).unwrap();
    }
    let full = ends[0].try_send(ShardId(1), 7777).unwrap_err();
    assert_eq!(full.0, 7777);
    ends[1].try_send(ShardId(0), 0).unwrap();
    assert_eq!(world.coverage().of("mesh.full"), 1);
}

#[test]
fn a_message_to_a_shard_that_is_gone_is_dropped() {
    let world = world(1);
    world.start(2, |_| std::future::pending::<()>());
    let mut ends = world.mesh::<Rc<()>>(2);
    let message = Rc::new(());
    ends[0].try_send(ShardId(1), Rc::clone(&message)).unwrap();
    assert_eq!(Rc::strong_count(&message), 2);
    drop(ends.pop());
    assert_eq!(Rc::strong_count(&message), 1, "what was under way is lost with its receiver");
    ends[0].try_send(ShardId(1), Rc::clone(&message)).unwrap();
    assert_eq!(Rc::strong_count(&message), 1);
    assert_eq!(world.coverage().of("mesh.to_closed"), 1);
}

#[test]
fn a_receiver_learns_that_every_other_shard_has_gone() {
    let world = world(2);
    world.start(3, |runtime| async move {
        if runtime.shard() == ShardId(0) {
            assert!(runtime.mesh().receive().await.is_none());
            runtime.mark("alone");
        } else {
            runtime.sleep(Duration::from_millis(5)).await;
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    assert_eq!(world.coverage().of("alone"), 1);
    assert!(world.elapsed() > Duration::from_millis(5));
}

#[test]
fn a_crash_closes_the_mesh() {
    let world = world(3);
    world.start(2, |runtime| async move { while runtime.mesh().receive().await.is_some() {} });
    world.run_until(StopAt::Poll(2));
    let ends = world.mesh::<u32>(2);
    world.crash(Crash::Process);
    ends[0].try_send(ShardId(1), 1).unwrap();
    assert_eq!(world.coverage().of("mesh.to_closed"), 1);
}
