//! Records that are let go when their time has come, or when there are too many, whatever the wall clock does.

use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::catalog::{Retention, Topic, TopicSettings};
use thalweg_engine::client::{Bounds, ReadError};
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{BatchBuilder, Offset, PartitionId, Timestamp};
use thalweg_sim::{Crash, RunEnd, StopAt, World, WorldConfig};

use super::common::{Client, Shared, name, run, start, values};

const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

/// Longest time that a record may stay when its time has come: an eighth of the limit, and the looks. Milliseconds.
fn slack(limit_ms: u64) -> u64 {
    limit_ms / 8 + 4000
}

fn settings(ms: Option<u64>, bytes: Option<u64>) -> TopicSettings {
    TopicSettings { retention: Retention { ms, bytes }, ..TopicSettings::default() }
}

async fn create(client: &Client, partitions: u32, ms: Option<u64>, bytes: Option<u64>) -> Topic {
    client.create_topic(&name("kept"), partitions, settings(ms, bytes)).await.unwrap()
}

fn stamped_at(time: i64, size: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push(Timestamp(time), None, Some(&vec![1; size]), &[]).unwrap();
    builder.into_bytes()
}

/// When each offset of a partition was appended, by the time that has really passed. Milliseconds.
#[derive(Clone, Debug, Default)]
struct Appended(Vec<u64>);

fn now_ms(client: &Client) -> u64 {
    client.runtime().now().0 / 1_000_000
}

async fn append(client: &Client, partition: PartitionId, appended: &mut Appended, stamp: i64, size: usize) {
    client.append(partition, &stamped_at(stamp, size)).await.unwrap();
    appended.0.push(now_ms(client));
}

async fn check(client: &Client, partition: PartitionId, appended: &Appended, limit_ms: u64) -> Bounds {
    let bounds = client.bounds(partition).await.unwrap();
    let now = now_ms(client);
    assert_eq!(bounds.end.0 as usize, appended.0.len());
    for (offset, at) in appended.0.iter().enumerate() {
        let kept = offset as u64 >= bounds.start.0;
        assert!(kept || at + limit_ms <= now, "offset {offset} of {at} is gone at {now}");
        assert!(!kept || at + limit_ms + slack(limit_ms) >= now, "offset {offset} of {at} is there at {now}");
    }
    bounds
}

async fn sleep(client: &Client, ms: u64) {
    client.runtime().sleep(Duration::from_millis(ms)).await;
}

#[test]
fn records_go_when_their_time_has_come_and_no_earlier() {
    for (limit, pause) in [(10_000, 700), (100, 300), (60_000, 90)] {
        let world = World::new(limit, WorldConfig::calm());
        run(&world, 2, move |client, _| async move {
            if client.shard().0 == 1 {
                return;
            }
            let topic = create(&client, 2, Some(limit), None).await;
            let mut appended = [Appended::default(), Appended::default()];
            for number in 0..200 {
                for (partition, appended) in topic.partitions.iter().zip(&mut appended) {
                    // Stamps from the past and from the far future do not matter.
                    append(&client, partition.id, appended, (number - 100) * YEAR_MS, 100).await;
                    check(&client, partition.id, appended, limit).await;
                }
                sleep(&client, pause).await;
            }
            sleep(&client, limit + slack(limit)).await;
            for (partition, appended) in topic.partitions.iter().zip(&appended) {
                let bounds = check(&client, partition.id, appended, limit).await;
                assert_eq!(bounds, Bounds { start: Offset(200), end: Offset(200) });
                let read = client.read(partition.id, Offset(5), 1000).await;
                let (start, end) = (bounds.start, bounds.end);
                assert_eq!(read.err(), Some(ReadError::OutOfRange { from: Offset(5), start, end }));
            }
        });
        assert!(world.coverage().of("retention-trimmed") > 0);
    }
}

#[test]
fn a_partition_keeps_its_size_and_the_space_comes_back() {
    const LIMIT: u64 = 300_000;
    let world = World::new(1, WorldConfig::calm());
    run(&world, 1, move |client, _| async move {
        let partition = create(&client, 1, None, Some(LIMIT)).await.partitions[0].id;
        let size = stamped_at(0, 1000).len() as u64;
        for number in 1..=4000u64 {
            client.append(partition, &stamped_at(0, 1000)).await.unwrap();
            let bounds = client.bounds(partition).await.unwrap();
            let kept = (bounds.end.0 - bounds.start.0) * size;
            assert!(kept >= LIMIT.min(number * size), "{kept} bytes are left");
            assert!(kept <= LIMIT * 5 / 4 + 40 * size, "{kept} bytes, without a pause");
        }
        sleep(&client, 4000).await;
        let bounds = client.bounds(partition).await.unwrap();
        let kept = (bounds.end.0 - bounds.start.0) * size;
        assert!((LIMIT..=LIMIT * 9 / 8 + size).contains(&kept), "{kept} bytes");
        // Each batch is a frame of a block: 64 segments' worth went through, 5 of it is kept.
        client.checkpoint().await.unwrap();
        sleep(&client, 4000).await;
        assert!(client.log_status().segments_used <= 7, "{:?}", client.log_status());
    });
    assert!(world.coverage().of("segment-recycled") > 0);
}

#[test]
fn a_changed_limit_counts_for_what_is_there() {
    let world = World::new(1, WorldConfig::calm());
    run(&world, 2, move |client, _| async move {
        if client.shard().0 == 1 {
            return;
        }
        let topic = create(&client, 2, None, None).await;
        for partition in &topic.partitions {
            for _ in 0..20 {
                client.append(partition.id, &stamped_at(0, 100)).await.unwrap();
                sleep(&client, 5000).await;
            }
        }
        let starts = async || {
            let mut starts = Vec::new();
            for partition in &topic.partitions {
                starts.push(client.bounds(partition.id).await.unwrap().start.0);
            }
            starts
        };
        assert_eq!(starts().await, [0, 0]);
        let altered = client.alter_topic(&name("kept"), settings(Some(52_000), None)).await.unwrap();
        assert_eq!(altered.settings, settings(Some(52_000), None));
        assert_eq!(client.topic(&name("kept")), Some(altered));
        sleep(&client, 100).await;
        assert_eq!(starts().await, [20, 10]);
        client.alter_topic(&name("kept"), settings(None, None)).await.unwrap();
        sleep(&client, 500_000).await;
        assert_eq!(starts().await, [20, 10]);
        assert_eq!(values(&client, topic.partitions[1].id).await.len(), 10);
    });
}

/// Appends a batch a minute for three hours, with a limit of one hour.
fn appends_for_hours(world: &Rc<World>, steps: &'static [(usize, i64)], stopped: Option<(usize, usize)>) {
    let clocks = Rc::clone(world);
    run(world, 1, move |client, _| {
        let clocks = Rc::clone(&clocks);
        async move {
            let limit = HOUR_MS as u64;
            let partition = create(&client, 1, Some(limit), None).await.partitions[0].id;
            let mut appended = Appended::default();
            for minute in 0..180 {
                for (_, step) in steps.iter().filter(|(at, _)| *at == minute) {
                    clocks.step_wall_clock(*step);
                }
                if let Some((from, to)) = stopped {
                    clocks.stop_wall_clock((from..to).contains(&minute));
                }
                let stamp = client.runtime().wall_clock().0;
                append(&client, partition, &mut appended, stamp, 100).await;
                check(&client, partition, &appended, limit).await;
                sleep(&client, 60_000).await;
            }
        }
    });
}

#[test]
fn no_step_of_the_wall_clock_lets_records_go_early_or_holds_them() {
    const STEPS: [&[(usize, i64)]; 4] = [
        &[(20, -HOUR_MS)],
        &[(20, YEAR_MS)],
        &[(20, YEAR_MS), (40, -YEAR_MS)],
        &[(1, -YEAR_MS), (2, HOUR_MS), (90, YEAR_MS), (91, YEAR_MS)],
    ];
    for steps in STEPS {
        let world = Rc::new(World::new(1, WorldConfig::calm()));
        appends_for_hours(&world, steps, None);
        assert!(world.coverage().of("clock-step") > 0);
    }
    appends_for_hours(&Rc::new(World::new(1, WorldConfig::calm())), &[], Some((10, 100)));
}

/// Appends, kills the machine, moves the wall clock by `away` and starts again; how much longer the record stays. Minutes.
fn minutes_kept_after(away: i64, step_before: i64, step_after: i64) -> u64 {
    let world = Rc::new(World::new(1, WorldConfig::calm()));
    let shared: Shared<PartitionId> = Shared::new();
    let (clocks, made) = (Rc::clone(&world), shared.clone());
    start(&world, 1, move |client, _| {
        let (clocks, made) = (Rc::clone(&clocks), made.clone());
        async move {
            let partition = create(&client, 1, Some(2 * HOUR_MS as u64), None).await.partitions[0].id;
            client.append(partition, &stamped_at(0, 100)).await.unwrap();
            made.put(partition);
            sleep(&client, 60_000).await;
            clocks.step_wall_clock(step_before);
            sleep(&client, 10_000_000).await;
        }
    });
    assert_eq!(world.run_until(StopAt::Time(Duration::from_secs(90))), RunEnd::Stopped);
    world.crash(Crash::Power);
    world.step_wall_clock(away);
    let (clocks, minutes) = (Rc::clone(&world), Shared::new());
    let found = minutes.clone();
    run(&world, 1, move |client, _| {
        let (clocks, found, partition) = (Rc::clone(&clocks), found.clone(), shared.peek().unwrap());
        async move {
            let mut minute = 0;
            while client.bounds(partition).await.unwrap().start == Offset(0) {
                if minute == 5 {
                    clocks.step_wall_clock(step_after);
                }
                sleep(&client, 60_000).await;
                minute += 1;
            }
            found.put(minute);
        }
    });
    minutes.peek().unwrap()
}

#[test]
fn the_time_between_two_starts_counts_once_the_wall_clock_has_stood_by_it() {
    let around = |minutes: u64, expected: u64| assert!(minutes.abs_diff(expected) <= 2, "{minutes} minutes");
    around(minutes_kept_after(0, 0, 0), 118);
    around(minutes_kept_after(HOUR_MS, 0, 0), 58);
    // Ten minutes are what belief takes.
    around(minutes_kept_after(10 * HOUR_MS, 0, 0), 10);
    around(minutes_kept_after(-HOUR_MS, 0, 0), 120);
    // A clock that was stepped before the end is known to have been.
    around(minutes_kept_after(0, YEAR_MS, 0), 118);
    around(minutes_kept_after(HOUR_MS, -YEAR_MS, 0), 58);
    // A clock that is wrong at the start is set right before it is believed.
    around(minutes_kept_after(YEAR_MS, 0, HOUR_MS - YEAR_MS), 58);
    around(minutes_kept_after(YEAR_MS, 0, -YEAR_MS), 118);
}
