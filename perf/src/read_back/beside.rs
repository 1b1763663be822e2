//! Appends at a fixed rate while others read what was written long ago.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::Result;
use thalweg_engine::client::{FetchedBatch, ReadError, ShardClient};
use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::model::PartitionId;

use super::bed::{Bed, READ_SIZE, size_of};
use crate::bed::{Latch, Rate, append_at_rate, batch_of_size, on_shard};
use crate::measure::{Ratio, Series, Unit};
use crate::session::Session;

const SCENARIO: &str = "read_back";

/// Readers that go through a partition each, again and again.
const READERS: usize = 10;

/// Appends per second, and the size of each. Bytes.
const APPENDS_PER_SECOND: u64 = 2000;
const APPEND_SIZE: usize = 4 << 10;

struct Lane {
    label: &'static str,
    key: &'static str,
    readers: usize,
    p50: Series,
    p99: Series,
    read: Series,
}

/// Appends alone and beside readers, in turns; the first partition is appended to, the others are read.
pub(super) fn measure(session: &mut Session, bed: &Bed) -> Result<()> {
    let mut lanes =
        [Lane::new("appends alone", "alone", 0), Lane::new("beside ten readers", "beside", READERS)];
    for round in 0..session.effort.rounds {
        for index in [round % 2, (round + 1) % 2] {
            lanes[index].take_turn(session, bed, round)?;
        }
    }
    println!(
        "  {APPENDS_PER_SECOND} appends of 4 KiB per second, open loop, alone and beside {READERS} readers from the disk"
    );
    for lane in &lanes {
        lane.p50.print(&format!("{}: p50", lane.label));
        lane.p99.print(&format!("{}: p99", lane.label));
        session.record(SCENARIO, &format!("{}_p50", lane.key), &lane.p50);
        session.record(SCENARIO, &format!("{}_p99", lane.key), &lane.p99);
    }
    lanes[1].read.print("what the readers read meanwhile");
    session.record(SCENARIO, "beside_read", &lanes[1].read);
    let ratio = Ratio::of(&lanes[1].p99, &lanes[0].p99);
    ratio.print("beside ten readers / alone, p99");
    session.record(SCENARIO, "beside_per_alone_p99", &ratio);
    Ok(())
}

impl Lane {
    fn new(label: &'static str, key: &'static str, readers: usize) -> Self {
        let series = || Series::new(Unit::Microseconds);
        let read = Series::new(Unit::MegabytesPerSecond);
        Self { label, key, readers, p50: series(), p99: series(), read }
    }

    fn take_turn(&mut self, session: &Session, bed: &Bed, round: usize) -> Result<()> {
        let first = bed.partitions[0].id;
        // Others each round.
        let others = bed.partitions.iter().skip(1).cycle().skip(round * READERS).take(self.readers);
        let read: Vec<PartitionId> = others.map(|partition| partition.id).collect();
        let rate = Rate { per_second: APPENDS_PER_SECOND, duration: session.effort.turn };
        let (turn, bytes) = on_shard(&bed.engine, move |client| {
            let read = read.clone();
            async move {
                let readers = Readers::start(&client, &read);
                let batch = Rc::new(batch_of_size(APPEND_SIZE, APPEND_SIZE));
                let turn = append_at_rate(&client, &[first], batch, rate).await?;
                let bytes = readers.stop().await?;
                anyhow::Ok((turn, bytes))
            }
        })??;
        self.p50.push(turn.turn.latencies.quantile_us(0.5));
        self.p99.push(turn.turn.latencies.quantile_us(0.99));
        self.read.push(bytes as f64 / 1e6 / turn.turn.elapsed.as_secs_f64());
        Ok(())
    }
}

#[derive(Default)]
struct Shared {
    stop: Cell<bool>,
    bytes: Cell<u64>,
    failure: Cell<Option<ReadError>>,
}

struct Readers {
    shared: Rc<Shared>,
    latch: Latch,
}

impl Readers {
    fn start<R: Runtime>(client: &ShardClient<R>, partitions: &[PartitionId]) -> Self {
        let readers = Self { shared: Rc::default(), latch: Latch::new(partitions.len()) };
        for id in partitions {
            let (client, id) = (client.clone(), *id);
            let (shared, latch) = (Rc::clone(&readers.shared), readers.latch.clone());
            client.runtime().clone().spawn(Priority::Foreground, async move {
                if let Err(error) = read_until_stopped(&client, id, &shared).await {
                    shared.failure.set(Some(error));
                }
                latch.count_down();
            });
        }
        readers
    }

    /// Bytes that were read.
    async fn stop(self) -> Result<u64, ReadError> {
        self.shared.stop.set(true);
        self.latch.wait().await;
        self.shared.failure.take().map_or(Ok(self.shared.bytes.get()), Err)
    }
}

async fn read_until_stopped<R: Runtime>(
    client: &ShardClient<R>,
    id: PartitionId,
    shared: &Shared,
) -> Result<(), ReadError> {
    let bounds = client.bounds(id).await?;
    let mut at = bounds.start;
    while !shared.stop.get() {
        let batches = client.read(id, at, READ_SIZE).await?;
        shared.bytes.set(shared.bytes.get() + batches.iter().map(|batch| size_of(batch) as u64).sum::<u64>());
        at = batches.last().map_or(bounds.start, FetchedBatch::end);
    }
    Ok(())
}
