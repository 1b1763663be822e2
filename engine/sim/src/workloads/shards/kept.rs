//! A topic that keeps no more than so many bytes: what goes is what may go, and nothing else does.

use thalweg_engine::catalog::{CatalogError, Retention, TopicSettings};
use thalweg_engine::client::{AppendError, Bounds, ReadError};
use thalweg_engine::model::{BatchBuilder, BatchView, Offset, PartitionId, TimeSearch, Timestamp, TopicName};

use super::life::{Driver, Over};

/// Largest value of a record. Bytes.
const VALUE_MAX: u64 = 3_000;

/// Different timestamps of the records.
const STAMPS: u64 = 1_000;

/// Records go at most so much later than they may: an eighth of the limit, and a batch.
fn kept_max(limit: u64) -> u64 {
    limit + limit / 8 + 2 * VALUE_MAX
}

pub(super) async fn run(driver: Driver) -> Result<(), Over> {
    let partition = partition(&driver).await?;
    // Before footers are in memory.
    let found = driver.client.bounds(partition).await.map_err(|_| Over)?;
    search(&driver, partition, found).await?;
    let resumed = check(&driver, partition).await?;
    {
        let mut oracle = driver.process.oracle.borrow_mut();
        let acknowledged = oracle.kept.acknowledged;
        assert!(resumed.end.0 >= acknowledged, "{acknowledged} records acknowledged, {} found", resumed.end);
        oracle.kept.acknowledged = resumed.end.0;
    }
    while !driver.process.is_over() && !driver.process.life.last {
        for _ in 0..1 + driver.below(6) {
            append(&driver, partition).await?;
        }
        if driver.below(4) == 0 {
            let bounds = check(&driver, partition).await?;
            search(&driver, partition, bounds).await?;
        }
        driver.pause(driver.below(4_000)).await;
    }
    if driver.process.life.last {
        while !is_settled(&driver, check(&driver, partition).await?) {
            driver.pause(100_000).await;
        }
    }
    Ok(())
}

/// Whether no more is kept than may be.
fn is_settled(driver: &Driver, bounds: Bounds) -> bool {
    let kept = &driver.process.oracle.borrow().kept;
    kept.bytes(bounds) <= kept_max(kept.limit)
}

async fn partition(driver: &Driver) -> Result<PartitionId, Over> {
    let name = TopicName::new("kept").expect("a topic name");
    let (made, limit) = {
        let oracle = driver.process.oracle.borrow();
        (oracle.kept.made, oracle.kept.limit)
    };
    let settings =
        TopicSettings { retention: Retention { ms: None, bytes: Some(limit) }, ..TopicSettings::default() };
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
    assert_eq!(topic.settings, settings, "the limits of topic {name}");
    driver.process.oracle.borrow_mut().kept.made = true;
    Ok(topic.partitions[0].id)
}

fn value(offset: u64, size: u64) -> Vec<u8> {
    let mut value = offset.to_le_bytes().to_vec();
    value.resize(size as usize, offset as u8);
    value
}

async fn append(driver: &Driver, partition: PartitionId) -> Result<(), Over> {
    let offset = driver.process.oracle.borrow().kept.acknowledged;
    let size = 8 + driver.below(VALUE_MAX - 8);
    let mut batch = BatchBuilder::new();
    let stamp = driver.below(STAMPS) as i64;
    batch.push(Timestamp(stamp), None, Some(&value(offset, size)), &[]).expect("a small record");
    let batch = batch.into_bytes();
    {
        let kept = &mut driver.process.oracle.borrow_mut().kept;
        kept.sizes.truncate(offset as usize);
        kept.sizes.push(batch.len() as u64);
        kept.stamps.truncate(offset as usize);
        kept.stamps.push(stamp);
    }
    match driver.client.append(partition, &batch).await {
        Ok(appended) => assert_eq!(appended.base, Offset(offset), "the only producer's next record"),
        Err(AppendError::Closed) => return Err(Over),
        Err(error) => panic!("an append was refused: {error}"),
    }
    driver.process.oracle.borrow_mut().kept.acknowledged = offset + 1;
    driver.process.operation();
    Ok(())
}

/// The start has not fallen, what lies behind it is as much as is to be kept, and all of it is there.
async fn check(driver: &Driver, partition: PartitionId) -> Result<Bounds, Over> {
    let bounds = driver.client.bounds(partition).await.map_err(|_| Over)?;
    {
        let kept = &mut driver.process.oracle.borrow_mut().kept;
        assert!(bounds.start.0 >= kept.start, "the log start fell from {} to {}", kept.start, bounds.start);
        kept.start = bounds.start.0;
        let bytes = kept.bytes(bounds);
        assert!(bounds.start.0 == 0 || bytes >= kept.limit, "{bytes} bytes are kept of {}", kept.limit);
        if bounds.start.0 > 0 {
            driver.runtime().count("shards.let-go");
        }
    }
    let mut at = bounds.start;
    while at < bounds.end {
        let batches = match driver.client.read(partition, at, 16 << 10).await {
            Ok(batches) => batches,
            Err(ReadError::OutOfRange { start, .. }) if start > at => {
                driver.runtime().count("shards.let-go-under-reader");
                at = start;
                continue;
            }
            Err(ReadError::Closed | ReadError::Disk { .. }) => return Err(Over),
            Err(error) => panic!("offset {at} cannot be read: {error}"),
        };
        for batch in &batches {
            let record =
                BatchView::parse(batch).expect("a batch as it was appended").record(0).expect("a record");
            let found = record.value.expect("a value");
            assert_eq!(batch.base(), at, "batches of one record are dense");
            assert_eq!(found, value(at.0, found.len() as u64), "the record at {at}");
            at = batch.end();
        }
    }
    Ok(bounds)
}

/// A record that is found by its time is the first of it, of those that were there all the while. `before`: the bounds.
async fn search(driver: &Driver, partition: PartitionId, before: Bounds) -> Result<(), Over> {
    let largest = driver.below(4) == 0;
    let time = Timestamp(driver.below(STAMPS + STAMPS / 8) as i64);
    let search = if largest { TimeSearch::Largest } else { TimeSearch::Since(time) };
    let found = match driver.client.find_by_time(partition, search).await {
        Ok(found) => found,
        Err(ReadError::Closed | ReadError::Disk { .. }) => return Err(Over),
        Err(error) => panic!("{search:?} failed: {error}"),
    };
    let after = driver.client.bounds(partition).await.map_err(|_| Over)?;
    let oracle = driver.process.oracle.borrow();
    let kept = &oracle.kept;
    let stamp = |offset: u64| Timestamp(kept.stamps[offset as usize]);
    let mut all = after.start.0..before.end.0;
    match found {
        Some(found) => {
            assert_eq!(found.timestamp, stamp(found.offset.0), "{found:?}");
            assert!(found.offset >= before.start, "{found:?} lies before {}", before.start);
            let missed = all.find(|offset| match search {
                TimeSearch::Since(time) => *offset < found.offset.0 && stamp(*offset) >= time,
                TimeSearch::Largest => stamp(*offset) > found.timestamp,
            });
            assert_eq!(missed, None, "{search:?} found {found:?}");
            assert!(largest || found.timestamp >= time, "{search:?} found {found:?}");
        }
        None if largest => assert!(all.is_empty(), "nothing has a largest timestamp"),
        None => assert_eq!(all.find(|offset| stamp(*offset) >= time), None, "{search:?} found nothing"),
    }
    drop(oracle);
    driver.process.operation();
    Ok(())
}
