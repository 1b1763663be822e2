//! A compacted topic: the latest record of every key is there, where it was appended; what is gone stays gone; and no tombstone
//! goes early.

use std::collections::{BTreeMap, BTreeSet};

use thalweg_engine::catalog::{CatalogError, Cleanup, CleanupPolicy, TopicSettings};
use thalweg_engine::client::{AppendError, Bounds, ReadError, SetLogStartError};
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{BatchBuilder, BatchView, Offset, PartitionId, Timestamp, TopicName};

use super::life::{Driver, Over};

/// Keys that come again and again, and those that come seldom.
const KEYS: u64 = 25;
const KEYS_RARE: u64 = 5_000;

/// Largest value of a record. Bytes.
const VALUE_MAX: u64 = 1_500;

/// A record that was appended, or tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    key: u64,
    /// Bytes of the value; none for a tombstone.
    size: Option<u64>,
    /// When it was acknowledged, in which life, by a clock that nothing steps. Nanoseconds.
    at: Option<(u64, u64)>,
}

/// What is known of the topic.
#[derive(Debug, Default)]
pub(super) struct Compacted {
    /// Milliseconds that a tombstone stays.
    pub(super) delay_ms: u64,
    pub(super) made: bool,
    pub(super) acknowledged: u64,
    pub(super) sent: Vec<Sent>,
    /// Offsets that were found gone.
    pub(super) gone: BTreeSet<u64>,
    /// Highest log start seen.
    pub(super) start: u64,
    pub(super) lives: u64,
}

fn key(key: u64) -> Vec<u8> {
    format!("key-{key}").into_bytes()
}

fn value(offset: u64, size: u64) -> Vec<u8> {
    vec![offset as u8; size as usize]
}

pub(super) async fn run(driver: Driver) -> Result<(), Over> {
    let partition = partition(&driver).await?;
    driver.process.oracle.borrow_mut().compacted.lives += 1;
    let resumed = check(&driver, partition).await?;
    {
        let compacted = &mut driver.process.oracle.borrow_mut().compacted;
        let acknowledged = compacted.acknowledged;
        assert!(resumed.end.0 >= acknowledged, "{acknowledged} records acknowledged, {} found", resumed.end);
        compacted.acknowledged = resumed.end.0;
    }
    while !driver.process.is_over() && !driver.process.life.last {
        append(&driver, partition).await?;
        driver.process.operation();
        match driver.below(16) {
            0 | 1 => drop(check(&driver, partition).await?),
            2 if driver.below(4) == 0 => trim(&driver, partition).await?,
            3 | 4 => driver.pause(driver.below(20_000)).await,
            _ => driver.pause(driver.below(2_000)).await,
        }
    }
    if driver.process.life.last {
        for _ in 0..5 {
            driver.pause(100_000).await;
            check(&driver, partition).await?;
        }
    }
    Ok(())
}

async fn partition(driver: &Driver) -> Result<PartitionId, Over> {
    let name = TopicName::new("compacted").expect("a topic name");
    let (made, tombstone_delay_ms) = {
        let oracle = driver.process.oracle.borrow();
        (oracle.compacted.made, oracle.compacted.delay_ms)
    };
    let cleanup = Cleanup {
        policy: CleanupPolicy::Compact,
        tombstone_delay_ms,
        lag_ms: 0,
        dirty_percent: (tombstone_delay_ms % 40) as u8,
    };
    let settings = TopicSettings { cleanup, ..TopicSettings::default() };
    let topic = match driver.client.topic(&name) {
        Some(topic) => topic,
        None => {
            assert!(!made, "topic {name} is lost");
            match driver.client.create_topic(&name, 1, settings).await {
                Ok(topic) => topic,
                Err(CatalogError::Closed) => return Err(Over),
                Err(error) => panic!("topic {name} was refused: {error}"),
            }
        }
    };
    assert_eq!(topic.settings, settings, "the settings of topic {name}");
    driver.process.oracle.borrow_mut().compacted.made = true;
    Ok(topic.partitions[0].id)
}

/// Appends some records in one batch.
async fn append(driver: &Driver, partition: PartitionId) -> Result<(), Over> {
    let first = driver.process.oracle.borrow().compacted.acknowledged;
    let mut batch = BatchBuilder::new();
    let mut sent = Vec::new();
    for offset in first..=first + driver.below(6) {
        let number = if driver.below(5) == 0 { KEYS + driver.below(KEYS_RARE) } else { driver.below(KEYS) };
        let size = (driver.below(4) > 0).then(|| driver.below(VALUE_MAX));
        let bytes = size.map(|size| value(offset, size));
        batch
            .push(Timestamp(offset as i64), Some(&key(number)), bytes.as_deref(), &[])
            .expect("a small record");
        sent.push(Sent { key: number, size, at: None });
    }
    let count = sent.len();
    {
        let compacted = &mut driver.process.oracle.borrow_mut().compacted;
        compacted.sent.truncate(first as usize);
        compacted.sent.extend(sent);
    }
    match driver.client.append(partition, &batch.into_bytes()).await {
        Ok(appended) => assert_eq!(appended.base, Offset(first), "the only producer's next record"),
        Err(AppendError::Closed) => return Err(Over),
        Err(error) => panic!("an append was refused: {error}"),
    }
    let now = driver.runtime().now().0;
    let compacted = &mut driver.process.oracle.borrow_mut().compacted;
    let life = compacted.lives;
    compacted.sent[first as usize..].iter_mut().for_each(|sent| sent.at = Some((life, now)));
    compacted.acknowledged = first + count as u64;
    Ok(())
}

async fn trim(driver: &Driver, partition: PartitionId) -> Result<(), Over> {
    let (start, end) = {
        let compacted = &driver.process.oracle.borrow().compacted;
        (compacted.start, compacted.acknowledged)
    };
    let to = Offset(start + driver.below((end - start) / 3 + 1));
    match driver.client.set_log_start(partition, to).await {
        Ok(()) => Ok(()),
        Err(SetLogStartError::Closed) => Err(Over),
        Err(error) => panic!("the log start was refused: {error}"),
    }
}

/// Reads everything; offsets of what is there.
async fn read_all(driver: &Driver, partition: PartitionId, bounds: Bounds) -> Result<BTreeSet<u64>, Over> {
    let (mut at, mut found) = (bounds.start, BTreeSet::new());
    while at < bounds.end {
        let batches = match driver.client.read(partition, at, 16 << 10).await {
            Ok(batches) => batches,
            Err(ReadError::Closed | ReadError::Disk { .. }) => return Err(Over),
            Err(error) => panic!("offset {at} cannot be read: {error}"),
        };
        assert!(!batches.is_empty(), "there is something at {at} or behind it, before {}", bounds.end);
        for batch in &batches {
            assert!(batch.end() > at, "a batch that reaches behind {at}");
            if batch.base() > at {
                driver.runtime().count("shards.gap-read");
            }
            let view = BatchView::parse(batch).expect("a native batch");
            for (offset, record) in view.numbered(batch.base()) {
                let sent = driver.process.oracle.borrow().compacted.sent[offset.0 as usize];
                assert_eq!(record.key, Some(key(sent.key).as_slice()), "the key at {offset}");
                let expected = sent.size.map(|size| value(offset.0, size));
                assert_eq!(record.value, expected.as_deref(), "the value at {offset}");
                assert_eq!(record.timestamp, Timestamp(offset.0 as i64), "the timestamp at {offset}");
                if offset >= at {
                    found.insert(offset.0);
                }
            }
            at = batch.end();
        }
    }
    Ok(found)
}

async fn check(driver: &Driver, partition: PartitionId) -> Result<Bounds, Over> {
    let bounds = driver.client.bounds(partition).await.map_err(|_| Over)?;
    let found = read_all(driver, partition, bounds).await?;
    let now = driver.runtime().now().0;
    let compacted = &mut driver.process.oracle.borrow_mut().compacted;
    assert!(bounds.start.0 >= compacted.start, "the log start fell");
    compacted.start = bounds.start.0;
    let mut latest = BTreeMap::new();
    for (sent, offset) in compacted.sent[..bounds.end.0 as usize].iter().zip(0..) {
        latest.insert(sent.key, offset);
    }
    let missing: BTreeSet<u64> =
        (bounds.start.0..bounds.end.0).filter(|offset| !found.contains(offset)).collect();
    for offset in &missing {
        let sent = &compacted.sent[*offset as usize];
        if latest[&sent.key] != *offset {
            continue;
        }
        assert_eq!(sent.size, None, "the latest value of key {} at {offset} is gone", sent.key);
        driver.runtime().count("shards.tombstone-gone");
        if let Some((life, at)) = sent.at
            && life == compacted.lives
        {
            let age_ms = (now - at) / 1_000_000;
            assert!(age_ms >= compacted.delay_ms, "the tombstone at {offset} went after {age_ms} ms");
        }
    }
    if !missing.is_empty() {
        driver.runtime().count("shards.compacted");
    }
    assert!(bounds.start == bounds.end || found.contains(&(bounds.end.0 - 1)), "the last record stays");
    let back: Vec<_> = compacted.gone.intersection(&found).collect();
    assert!(back.is_empty(), "what was gone came back: {back:?}");
    compacted.gone.extend(missing);
    Ok(bounds)
}
