//! Producers that are silent for long are forgotten, by what frames say.

use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::client::AppendError;
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{ProducerId, RecordSequence};
use thalweg_sim::{Crash, World, WorldConfig};

use super::common::{Client, batch, create, name, run, stamp, stamped};

const HOUR: Duration = Duration::from_secs(3600);

async fn sleep(client: &Client, time: Duration) {
    client.runtime().sleep(time).await;
}

/// Appends a record of `producer`, its `sequence`th; `Ok`: whether it had been appended before.
async fn send(client: &Client, producer: u64, sequence: u32) -> Result<bool, AppendError> {
    let partition = client.topic(&name("topic")).unwrap().partitions[0].id;
    let bytes = stamped(&["x"], stamp(ProducerId(producer), 0, sequence));
    client.append(partition, &bytes).await.map(|appended| appended.duplicate)
}

async fn assert_forgotten(client: &Client, producer: u64, found: u32) {
    let error = AppendError::UnknownProducer { producer: ProducerId(producer), found: RecordSequence(found) };
    assert_eq!(send(client, producer, found).await, Err(error));
}

#[test]
fn a_producer_is_forgotten_after_a_day_of_silence_and_no_earlier() {
    for (checkpoint, restart, traffic) in
        [(false, false, true), (true, true, true), (false, true, false), (true, true, false)]
    {
        let world = Rc::new(World::new(3, WorldConfig::calm()));
        run(&world, 1, move |client, shard| async move {
            create(&client, "topic", 1).await;
            for producer in [1, 2] {
                assert_eq!(send(&client, producer, 0).await, Ok(false));
            }
            // A step of the wall clock does not age them.
            sleep(&client, Duration::from_secs(700)).await;
            if checkpoint {
                shard.checkpoint().await.unwrap();
            }
        });
        if restart {
            world.crash(Crash::Power);
        }
        let clocks = Rc::clone(&world);
        run(&world, 1, move |client, _| {
            let clocks = Rc::clone(&clocks);
            async move {
                sleep(&client, Duration::from_secs(700)).await;
                clocks.step_wall_clock(365 * 24 * 3_600_000);
                for hour in 0..22 {
                    if traffic {
                        let partition = client.topic(&name("topic")).unwrap().partitions[0].id;
                        client.append(partition, &batch(&["other"])).await.unwrap();
                    }
                    if hour == 12 {
                        assert_eq!(send(&client, 2, 1).await, Ok(false));
                    }
                    sleep(&client, HOUR).await;
                }
                // 22 hours and 23 minutes after its last: a repetition is recognised, and does not count as news.
                assert_eq!(send(&client, 1, 0).await, Ok(true));
                assert_eq!(send(&client, 2, 1).await, Ok(true));
                sleep(&client, 2 * HOUR).await;
                assert_forgotten(&client, 1, 1).await;
                assert_eq!(send(&client, 2, 1).await, Ok(true));
                // Whoever begins anew is welcome.
                assert_eq!(send(&client, 1, 0).await, Ok(false));
            }
        });
        assert!(world.coverage().of("producers-forgotten") > 0);
        if restart {
            world.crash(Crash::Power);
        }
        run(&world, 1, |client, _| async move {
            assert_eq!(send(&client, 1, 0).await, Ok(true));
            assert_eq!(send(&client, 2, 1).await, Ok(true));
            assert_forgotten(&client, 3, 1).await;
        });
    }
}
