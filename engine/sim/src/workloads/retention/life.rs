//! One life of the process.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::catalog::{CatalogError, Retention, TopicSettings};
use thalweg_engine::client::{AppendError, ReadError, ShardClient};
use thalweg_engine::io::Runtime;
use thalweg_engine::limits::CLOCK_BELIEF_DELAY;
use thalweg_engine::model::{BatchBuilder, Offset, PartitionId, Timestamp, TopicName};
use thalweg_engine::shard::Shard;

use super::oracle::{Oracle, Record};
use crate::harness::{Life, ShardOpening};
use crate::prng::Prng;
use crate::runtime::SimRuntime;

/// Stamps of records: they mean nothing to retention.
const STAMPS: [i64; 5] = [0, 1, 1_700_000_000_000, 4_000_000_000_000, i64::MAX / 2];

const HOUR: i64 = 3_600_000;

/// What a wall clock is stepped by, in milliseconds.
const STEPS: [i64; 7] = [-HOUR, HOUR, 365 * 24 * HOUR, -365 * 24 * HOUR, 700_000, 2_000, -2_000];

/// The engine is closed: this life goes no further.
struct Over;

struct Driver {
    client: ShardClient<SimRuntime>,
    shard: Shard<SimRuntime>,
    oracle: Rc<RefCell<Oracle>>,
    partition: PartitionId,
    opened: Duration,
    prng: Prng,
}

/// The next step of the wall clock.
pub(super) fn step(prng: &mut Prng) -> i64 {
    let any = prng.below(2 * HOUR as u64) as i64 - HOUR;
    if prng.below(3) == 0 { any } else { *prng.pick(&STEPS) }
}

/// The main task of the only shard.
pub(super) async fn live(
    runtime: SimRuntime,
    opening: Rc<ShardOpening>,
    oracle: Rc<RefCell<Oracle>>,
    prng: Prng,
    life: Life,
) {
    let Some(shard) = opening.open(&runtime, life).await else { return };
    runtime.mark("retention.opened");
    let client = ShardClient::new(shard.clone());
    if let Ok(partition) = partition(&client, &oracle).await {
        let opened = runtime.elapsed();
        let mut driver = Driver { client, shard: shard.clone(), oracle, partition, opened, prng };
        let _over = driver.run(life).await;
    }
    shard.close().await;
}

async fn partition(
    client: &ShardClient<SimRuntime>,
    oracle: &Rc<RefCell<Oracle>>,
) -> Result<PartitionId, Over> {
    let name = TopicName::new("aged").expect("a topic name");
    let (made, kept) = {
        let oracle = oracle.borrow();
        (oracle.made, oracle.kept)
    };
    let retention = Retention { ms: Some(kept.as_millis() as u64), bytes: None };
    let settings = TopicSettings { retention, ..TopicSettings::default() };
    let topic = match client.topic(&name) {
        Some(topic) => topic,
        None => {
            assert!(!made, "topic {name} is lost");
            match client.create_topic(&name, 1, settings).await {
                Ok(topic) => topic,
                Err(CatalogError::Closed) => return Err(Over),
                Err(error) => panic!("topic {name} was refused: {error}"),
            }
        }
    };
    oracle.borrow_mut().made = true;
    Ok(topic.partitions[0].id)
}

impl Driver {
    fn runtime(&self) -> &SimRuntime {
        self.client.runtime()
    }

    async fn run(&mut self, life: Life) -> Result<(), Over> {
        self.resume().await?;
        for _ in 0..life.operations {
            match self.prng.below(40) {
                0..20 => self.append().await?,
                20..34 => self.wait(self.kept() / 8).await?,
                34 => self.wait(CLOCK_BELIEF_DELAY * 5 / 4).await?,
                35 => drop(self.shard.checkpoint().await),
                36..39 => {
                    let by_ms = step(&mut self.prng);
                    self.runtime().step_wall_clock(by_ms);
                    self.runtime().count(if by_ms < 0 { "retention.back" } else { "retention.ahead" });
                }
                _ => {
                    let stopped = self.prng.coin();
                    self.runtime().stop_wall_clock(stopped);
                    self.runtime().count("retention.standing");
                }
            }
            self.oracle.borrow_mut().operations += 1;
        }
        if life.last {
            let most = self.kept() + self.kept() / 8 + Duration::from_secs(30);
            self.pass(most).await?;
            let bounds = self.client.bounds(self.partition).await.map_err(|_| Over)?;
            assert_eq!(bounds.start, bounds.end, "everything has gone");
            self.runtime().count("retention.all-gone");
        }
        Ok(())
    }

    fn kept(&self) -> Duration {
        self.oracle.borrow().kept
    }

    /// What was answered is there, or was let go.
    async fn resume(&self) -> Result<(), Over> {
        let bounds = self.client.bounds(self.partition).await.map_err(|_| Over)?;
        {
            let mut oracle = self.oracle.borrow_mut();
            let (acknowledged, end) = (oracle.acknowledged(), bounds.end.0);
            assert!(end >= acknowledged, "{acknowledged} records acknowledged, {end} found");
            assert!(end <= oracle.records.len() as u64, "{end} records found");
            oracle.records.truncate(end as usize);
            let now = self.runtime().elapsed();
            // What was found is there for good.
            for record in &mut oracle.records {
                record.answered = record.answered.or(Some(now));
            }
        }
        self.check().await
    }

    /// The log start is where it may be, and what lies behind it can be read.
    async fn check(&self) -> Result<(), Over> {
        let bounds = self.client.bounds(self.partition).await.map_err(|_| Over)?;
        self.oracle.borrow_mut().started_at(self.runtime(), bounds.start.0, self.opened);
        if bounds.start == bounds.end {
            return Ok(());
        }
        match self.client.read(self.partition, bounds.start, 1).await {
            Ok(batches) => assert_eq!(batches[0].base(), bounds.start, "the first that is kept"),
            Err(ReadError::OutOfRange { start, .. }) if start > bounds.start => {}
            Err(ReadError::Closed | ReadError::Disk { .. }) => return Err(Over),
            Err(error) => panic!("the first record that is kept cannot be read: {error}"),
        }
        Ok(())
    }

    async fn append(&mut self) -> Result<(), Over> {
        let mut batch = BatchBuilder::new();
        let stamp = Timestamp(*self.prng.pick(&STAMPS));
        let value = vec![7; 1 + self.prng.below(500) as usize];
        batch.push(stamp, None, Some(&value), &[]).expect("a small record");
        let tried = self.runtime().elapsed();
        let offset = {
            let mut oracle = self.oracle.borrow_mut();
            oracle.records.push(Record { tried, answered: None });
            oracle.records.len() as u64 - 1
        };
        match self.client.append(self.partition, &batch.into_bytes()).await {
            Ok(appended) => assert_eq!(appended.base, Offset(offset), "the only producer's next record"),
            Err(AppendError::Closed) => return Err(Over),
            Err(error) => panic!("an append was refused: {error}"),
        }
        let answered = self.runtime().elapsed();
        self.oracle.borrow_mut().records[offset as usize].answered = Some(answered);
        self.check().await
    }

    /// Waits up to `most`.
    async fn wait(&mut self, most: Duration) -> Result<(), Over> {
        let part = 1 + self.prng.below(8) as u32;
        self.pass(most * part / 8).await
    }

    /// Lets time pass, and looks now and then.
    async fn pass(&self, time: Duration) -> Result<(), Over> {
        let until = self.runtime().elapsed() + time;
        while self.runtime().elapsed() < until {
            let step = (self.kept() / 16).max(Duration::from_millis(200));
            self.runtime().sleep(step.min(time)).await;
            self.check().await?;
        }
        Ok(())
    }
}
