//! Readers of the sinks: every record once, those of one source in order.

use std::time::Duration;

use thalweg_engine::catalog::Topic;
use thalweg_engine::client::{ReadError, SetLogStartError};
use thalweg_engine::model::{BatchView, Offset, PartitionId};

use super::life::{Driver, Over};

pub(super) async fn run(driver: Driver, sink: usize, partition: PartitionId) -> Result<(), Over> {
    let mut checked = driver.process.oracle.borrow().sinks[sink].checked;
    let bounds = driver.client.bounds(partition).await.map_err(|_| Over)?;
    assert!(bounds.end.0 >= checked, "sink {sink}: {checked} records were read, {} are left", bounds.end);
    assert!(bounds.start.0 <= checked, "sink {sink} begins at {}, read up to {checked}", bounds.start);
    let before = driver.process.life.number > 1;
    while !driver.process.is_over() {
        let wait = Some(Duration::from_millis(5));
        match driver.client.wait_for_data(partition, Offset(checked), wait).await {
            Ok(end) if end.0 > checked => {}
            Ok(_) => continue,
            Err(_) => return Err(Over),
        }
        if before && checked > 0 {
            driver.runtime().count("shards.outbox-after-crash");
        }
        checked = check(&driver, sink, partition, checked).await?;
        if driver.process.mix.trim && driver.below(6) == 0 {
            match driver.client.set_log_start(partition, Offset(checked)).await {
                Ok(()) => driver.process.operation(),
                Err(SetLogStartError::Closed) => return Err(Over),
                Err(error) => panic!("a log start was refused: {error}"),
            }
        }
    }
    Ok(())
}

/// Reads on from `from`; returns the offset behind what was read.
async fn check(driver: &Driver, sink: usize, partition: PartitionId, from: u64) -> Result<u64, Over> {
    let bytes_max = 1 + driver.below(48 << 10) as usize;
    let batches = match driver.client.read(partition, Offset(from), bytes_max).await {
        Ok(batches) => batches,
        Err(ReadError::Closed | ReadError::Disk { .. }) => return Err(Over),
        Err(error) => panic!("sink {sink} cannot be read at {from}: {error}"),
    };
    let mut at = from;
    for batch in &batches {
        assert_eq!(batch.base().0, at, "a sink is dense");
        for record in BatchView::parse(batch).expect("a batch as it was appended") {
            let text = std::str::from_utf8(record.value.expect("a value")).expect("text");
            let mut parts = text.split(':');
            let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).expect("a number");
            let (source, k) = (number() as usize, number());
            driver.process.oracle.borrow_mut().found(sink, source, k);
        }
        at = batch.end().0;
        driver.process.oracle.borrow_mut().sinks[sink].checked = at;
    }
    assert!(at > from, "there is a batch at {from}");
    Ok(at)
}

/// Whether every record of every source was found in its sink.
pub(super) async fn everything_found(driver: &Driver, source: &Topic) -> bool {
    let mut ends = Vec::new();
    for partition in &source.partitions {
        let bounds = driver.client.bounds(partition.id).await;
        ends.push(bounds.expect("nothing fails in the last life").end.0);
    }
    driver.process.oracle.borrow().all_found(&ends)
}
