//! Records found by their time, against a list of all of them.

use thalweg_engine::client::ReadError;
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{BatchBuilder, Offset, PartitionId, StampedOffset, TimeSearch, Timestamp};
use thalweg_sim::{Crash, World, WorldConfig};

use super::common::{Barrier, Client, Shared, create, run};

/// What a partition holds: its start and every timestamp from offset 0 on.
#[derive(Clone, Debug, Default)]
struct Held {
    start: u64,
    times: Vec<i64>,
}

impl Held {
    fn records(&self) -> impl Iterator<Item = StampedOffset> + '_ {
        let stamped = self.times.iter().zip(0..).skip(self.start as usize);
        stamped.map(|(time, offset)| StampedOffset { offset: Offset(offset), timestamp: Timestamp(*time) })
    }

    fn find(&self, search: TimeSearch) -> Option<StampedOffset> {
        match search {
            TimeSearch::Since(time) => self.records().find(|record| record.timestamp >= time),
            TimeSearch::Largest => {
                let largest = self.records().map(|record| record.timestamp).max()?;
                self.records().find(|record| record.timestamp == largest)
            }
        }
    }
}

async fn check(client: &Client, partition: PartitionId, held: &Held) {
    for time in (-60..=60).map(Timestamp) {
        let search = TimeSearch::Since(time);
        assert_eq!(
            client.find_by_time(partition, search).await.unwrap(),
            held.find(search),
            "{time:?} of {held:?}"
        );
    }
    let search = TimeSearch::Largest;
    assert_eq!(client.find_by_time(partition, search).await.unwrap(), held.find(search), "{held:?}");
}

/// Appends batches whose timestamps rise and fall, some of them far away, and raises the log start now and then.
async fn fill(client: &Client, partition: PartitionId, held: &mut Held) {
    let runtime = client.runtime();
    let padding = vec![7; 1500];
    for number in 0..80 {
        let mut builder = BatchBuilder::new();
        for _ in 0..=runtime.random() % 4 {
            let time = match runtime.random() % 20 {
                0 => 40 + (runtime.random() % 15) as i64,
                1 => -50,
                _ => number / 4 - 10 + (runtime.random() % 9) as i64,
            };
            builder.push(Timestamp(time), None, Some(&padding), &[]).unwrap();
            held.times.push(time);
        }
        client.append(partition, &builder.into_bytes()).await.unwrap();
        if runtime.random().is_multiple_of(16) {
            let kept = held.times.len() as u64 - held.start;
            held.start += runtime.random() % (kept / 2 + 1);
            client.set_log_start(partition, Offset(held.start)).await.unwrap();
        }
        if number % 16 == 0 {
            check(client, partition, held).await;
        }
    }
}

#[test]
fn the_record_of_a_time_is_found_wherever_it_lies() {
    let (mut footers, mut beyond) = (0, 0);
    for seed in 0..6 {
        let world = World::new(seed, WorldConfig::calm());
        let shared: Shared<(PartitionId, Held)> = Shared::new();
        let filled = shared.clone();
        run(&world, 2, move |client, _| {
            let filled = filled.clone();
            async move {
                if client.shard().0 == 0 {
                    let topic = create(&client, "times", 2).await;
                    // One partition from its own shard or from the other.
                    let partition = topic.partitions[(seed % 2) as usize].id;
                    let mut held = Held::default();
                    check(&client, partition, &held).await;
                    fill(&client, partition, &mut held).await;
                    filled.put((partition, held));
                }
                let (partition, held) = filled.get(client.runtime()).await;
                check(&client, partition, &held).await;
            }
        });
        world.crash(Crash::Power);
        let (kept, checked) = (shared.clone(), Barrier::new(2));
        run(&world, 2, move |client, _| {
            let (kept, checked) = (kept.clone(), checked.clone());
            async move {
                let (partition, mut held) = kept.peek().unwrap();
                check(&client, partition, &held).await;
                checked.pass(client.runtime()).await;
                if client.shard().0 == 1 {
                    // Nothing is left, and then one record is, older than all before it.
                    held.start = held.times.len() as u64;
                    client.set_log_start(partition, Offset(held.start)).await.unwrap();
                    check(&client, partition, &held).await;
                    let mut builder = BatchBuilder::new();
                    builder.push(Timestamp(-55), None, None, &[]).unwrap();
                    client.append(partition, &builder.into_bytes()).await.unwrap();
                    held.times.push(-55);
                    check(&client, partition, &held).await;
                    let unknown = PartitionId(77);
                    let answer = client.find_by_time(unknown, TimeSearch::Largest).await;
                    assert_eq!(answer, Err(ReadError::UnknownPartition { partition: unknown }));
                }
            }
        });
        footers += world.coverage().of("time-search-footer");
        beyond += world.coverage().of("time-search-goes-on");
    }
    assert!(footers > 0, "no search looked into a footer");
    assert!(beyond > 0, "no search found a batch whose record lies before the start");
}

#[test]
fn a_record_before_the_start_is_not_the_one_with_the_largest_timestamp() {
    let cases: [(&[&[i64]], u64); 4] =
        [(&[&[9, 1], &[5]], 1), (&[&[1, 6, 9], &[5]], 1), (&[&[9], &[1]], 1), (&[&[2, 9, 1, 3], &[3]], 2)];
    for (batches, start) in cases {
        run(&World::new(1, WorldConfig::calm()), 1, move |client, _| async move {
            let partition = create(&client, "times", 1).await.partitions[0].id;
            let mut held = Held { start, times: Vec::new() };
            for times in batches {
                let mut builder = BatchBuilder::new();
                for time in *times {
                    builder.push(Timestamp(*time), None, None, &[]).unwrap();
                }
                client.append(partition, &builder.into_bytes()).await.unwrap();
                held.times.extend_from_slice(times);
            }
            client.set_log_start(partition, Offset(start)).await.unwrap();
            check(&client, partition, &held).await;
        });
    }
}
