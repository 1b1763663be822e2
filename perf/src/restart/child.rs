//! The child: opens the folder, reads, appends, and goes on appending until it is killed.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use thalweg_engine::catalog::{Partition, TopicSettings};
use thalweg_engine::client::{AppendError, Appended};
use thalweg_engine::log::LogOptions;
use thalweg_engine::model::{BatchBuilder, BatchView, Offset, Timestamp, TopicName};
use thalweg_runtime::{Client, Pending};

use super::saying::Saying;
use crate::bed::{EngineArgs, open};

/// Size of a record's value; the record's offset and filler. Bytes.
const VALUE_SIZE: usize = 1000;

/// Records of a batch while the folder is filled: half a megabyte.
const FILL_BATCH_RECORDS: u64 = 512;

/// Records of a batch amid whose appends the child is killed.
const BATCH_RECORDS: u64 = 16;

/// Appends under way.
const UNDER_WAY: usize = 8;

/// Appends between two acknowledgements that are told.
const TELL_EVERY: u64 = 64;

/// Appends after which a child that nobody kills ends by itself.
const APPENDS_MAX: u64 = 200_000;

/// Bytes of a read.
const READ_SIZE: usize = 64 << 10;

/// Options of the child.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChildArgs {
    /// The data folder
    folder: PathBuf,
    /// Bytes that the folder holds before the child is killed for the first time
    #[arg(long)]
    bytes: u64,
}

/// Runs the child.
///
/// # Errors
/// The engine's, or that a record is not what was written.
pub(crate) fn run(args: &ChildArgs, engine_args: EngineArgs) -> Result<()> {
    let engine = open(&args.folder, engine_args, LogOptions::default())?;
    say(Saying::Opened)?;
    let client = engine.client();
    let name = TopicName::new("restart").expect("a valid name");
    let mut appender = match client.topic(&name)? {
        Some(topic) => {
            let partition = topic.partitions[0];
            let end = client.bounds(&partition)?.end;
            check_record(&client, &partition, Offset(end.0 / 2))?;
            say(Saying::Read)?;
            Appender::new(client, partition, end)
        }
        None => {
            let topic = client.create_topic(&name, 1, TopicSettings::default())?;
            Appender::new(client, topic.partitions[0], Offset(0))
        }
    };
    let first = appender.next;
    appender.append(1)?;
    appender.wait_all()?;
    say(Saying::Appended(first.0))?;
    say(Saying::Replayed(engine.info().recovery.iter().map(|report| report.bytes).sum()))?;
    while appender.next.0 * (VALUE_SIZE as u64) < args.bytes {
        appender.append(FILL_BATCH_RECORDS)?;
    }
    appender.wait_all()?;
    say(Saying::Filled)?;
    for number in 0..APPENDS_MAX {
        appender.append(BATCH_RECORDS)?;
        if number % TELL_EVERY == 0 {
            say(Saying::Acknowledged(appender.acknowledged.0))?;
        }
    }
    Ok(())
}

/// Says `saying`; an error if the parent has gone.
fn say(saying: Saying) -> Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{saying}").and_then(|()| output.flush()).context("the parent has gone")
}

/// Reads the record at `offset` and compares it with what was written there.
fn check_record(client: &Client, partition: &Partition, offset: Offset) -> Result<()> {
    let batches = client.read(partition, offset, READ_SIZE, Duration::ZERO)?;
    let batch = batches.first().context("there is no record amid the data")?;
    let view = BatchView::parse(&batch.bytes).context("a batch came back damaged")?;
    let record =
        view.record((offset.0 - batch.base.0) as u32).context("the batch does not hold the offset")?;
    ensure!(record.value == Some(&value(offset)[..]), "the record at offset {} is another one", offset.0);
    Ok(())
}

/// What is written at `offset`.
fn value(offset: Offset) -> [u8; VALUE_SIZE] {
    let mut value = [b'.'; VALUE_SIZE];
    value[..8].copy_from_slice(&offset.0.to_be_bytes());
    value
}

/// Appends with several appends under way.
struct Appender {
    client: Client,
    partition: Partition,
    builder: BatchBuilder,
    pending: VecDeque<(u64, Pending<Result<Appended, AppendError>>)>,
    next: Offset,
    acknowledged: Offset,
}

impl Appender {
    fn new(client: Client, partition: Partition, next: Offset) -> Self {
        let (builder, pending) = (BatchBuilder::new(), VecDeque::new());
        Self { client, partition, builder, pending, next, acknowledged: next }
    }

    fn append(&mut self, records: u64) -> Result<()> {
        if self.pending.len() == UNDER_WAY {
            self.wait_one()?;
        }
        self.builder.clear();
        for offset in self.next.0..self.next.0 + records {
            self.builder.push(Timestamp(0), None, Some(&value(Offset(offset))), &[])?;
        }
        let batch = self.builder.finish().to_vec();
        self.pending.push_back((records, self.client.append(&self.partition, batch)));
        self.next = Offset(self.next.0 + records);
        Ok(())
    }

    fn wait_one(&mut self) -> Result<()> {
        let Some((records, pending)) = self.pending.pop_front() else { return Ok(()) };
        let appended = pending.wait()??;
        ensure!(appended.base == self.acknowledged, "a batch came to lie at offset {}", appended.base.0);
        self.acknowledged = Offset(appended.base.0 + records);
        Ok(())
    }

    fn wait_all(&mut self) -> Result<()> {
        while !self.pending.is_empty() {
            self.wait_one()?;
        }
        Ok(())
    }
}
