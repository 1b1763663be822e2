//! `thalweg produce`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use serde_json::{Value, json};
use thalweg_engine::catalog::Topic;
use thalweg_engine::client::{AppendError, Appended};
use thalweg_engine::limits::RECORD_SIZE_MAX;
use thalweg_engine::model::{BatchBuilder, BatchError, Offset, RecordCount, Timestamp, partition_for_key};
use thalweg_runtime::{Client, Pending};

use crate::args::ProduceArgs;
use crate::clock;
use crate::exit::{ExitCode, Failure};
use crate::output::{print_json, print_line};
use crate::session::{self, with_causes};

/// A batch is sent when it has this many bytes.
const BATCH_SIZE: usize = 256 << 10;

/// Batches under way at once, all partitions together.
const BATCHES_IN_FLIGHT: usize = 32;

/// Records without key go to one partition until so many of them were appended there.
const STICKY_RECORDS: u64 = 1000;

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &ProduceArgs) -> Result<(), Failure> {
    let input: Box<dyn Read> = match &args.file {
        None => Box::new(std::io::stdin()),
        Some(path) => Box::new(File::open(path).map_err(|error| {
            Failure::new(ExitCode::NotFound, format!("{} cannot be read: {error}", path.display()))
        })?),
    };
    let engine = session::open(&args.data)?;
    let outcome = Producer::new(&engine.client(), args).and_then(|producer| producer.run(input));
    let Appends { records, bytes, ranges } = session::close(engine, outcome)?;
    if args.json {
        let rows = ranges.iter().enumerate().filter_map(|(partition, range)| {
            let (start, end) = range.as_ref()?;
            Some(json!({"partition": partition, "start": start.0, "end": end.0}))
        });
        let rows: Vec<Value> = rows.collect();
        return print_json(
            &json!({"topic": args.topic, "records": records, "bytes": bytes, "partitions": rows}),
        );
    }
    print_line(&format!("appended {records} records of {bytes} bytes to {}", args.topic))
}

/// What was appended.
struct Appends {
    records: u64,
    bytes: u64,
    /// By partition: the first offset given, and the one behind the last.
    ranges: Vec<Option<(Offset, Offset)>>,
}

/// A batch that is on its way.
struct InFlight {
    partition: usize,
    count: RecordCount,
    answer: Pending<Result<Appended, AppendError>>,
}

struct Producer {
    client: Client,
    topic: Topic,
    separator: Option<Vec<u8>>,
    only: Option<u32>,
    builders: Vec<BatchBuilder>,
    in_flight: VecDeque<InFlight>,
    appends: Appends,
    keyless: u64,
    /// Records known durable.
    appended: u64,
    /// Why an append was refused; nothing more is sent then.
    refusal: Option<Failure>,
}

impl Producer {
    fn new(client: &Client, args: &ProduceArgs) -> Result<Self, Failure> {
        let topic = session::existing_topic(client, &args.topic)?;
        let count = topic.partitions.len();
        if let Some(partition) = args.partition
            && partition as usize >= count
        {
            let message = format!("partition {partition} does not exist; {} has {count}", topic.name);
            return Err(Failure::new(ExitCode::NotFound, message));
        }
        let separator = args.key_separator.as_ref().map(|text| text.replace("\\t", "\t").into_bytes());
        if separator.as_ref().is_some_and(Vec::is_empty) {
            return Err(Failure::new(ExitCode::Usage, "the key separator is empty"));
        }
        Ok(Self {
            client: client.clone(),
            topic,
            separator,
            only: args.partition,
            builders: (0..count).map(|_| BatchBuilder::new()).collect(),
            in_flight: VecDeque::new(),
            appends: Appends { records: 0, bytes: 0, ranges: vec![None; count] },
            keyless: 0,
            appended: 0,
            refusal: None,
        })
    }

    /// Appends every line of `input`. A line that is refused ends it, once those before it are durable.
    fn run(mut self, input: impl Read) -> Result<Appends, Failure> {
        let taken = self.take(input);
        for partition in 0..self.builders.len() {
            self.send(partition);
        }
        while !self.in_flight.is_empty() {
            self.await_oldest();
        }
        match self.refusal {
            None => taken.map(|()| self.appends),
            Some(Failure { code, message }) => {
                let message = format!("{message}; {} records were appended", self.appended);
                Err(Failure::new(code, message))
            }
        }
    }

    /// Takes every line of `input` into batches, and sends those that are full, until an append is refused.
    fn take(&mut self, input: impl Read) -> Result<(), Failure> {
        let mut input = BufReader::with_capacity(1 << 20, input);
        let mut line = Vec::new();
        while self.refusal.is_none() {
            line.clear();
            // One byte more than a record can hold shows that the line is too long.
            let limit = RECORD_SIZE_MAX as u64 + 1;
            let read = (&mut input).take(limit).read_until(b'\n', &mut line);
            let read = read.map_err(|error| Failure::failed(format!("the input cannot be read: {error}")))?;
            if read == 0 {
                break;
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            self.push(&line)?;
        }
        Ok(())
    }

    fn push(&mut self, line: &[u8]) -> Result<(), Failure> {
        let (key, value) = match &self.separator {
            Some(separator) => split(line, separator),
            None => (None, line),
        };
        let partition = self.partition(key);
        let timestamp = Timestamp(clock::wall_clock_ms());
        let mut pushed = self.builders[partition].push(timestamp, key, Some(value), &[]);
        if matches!(pushed, Err(BatchError::BatchTooLarge { .. } | BatchError::TooManyRecords { .. })) {
            self.send(partition);
            pushed = self.builders[partition].push(timestamp, key, Some(value), &[]);
        }
        pushed.map_err(|error| {
            let before = self.appends.records;
            let message =
                format!("line {} was refused: {error}; the {before} before it are appended", before + 1);
            Failure::new(ExitCode::Usage, message)
        })?;
        self.appends.records += 1;
        self.appends.bytes += line.len() as u64;
        if self.builders[partition].size() >= BATCH_SIZE {
            self.send(partition);
        }
        Ok(())
    }

    fn partition(&mut self, key: Option<&[u8]>) -> usize {
        let count = self.builders.len() as u32;
        let partition = match (self.only, key) {
            (Some(only), _) => only,
            (None, Some(key)) => partition_for_key(key, count),
            (None, None) => {
                self.keyless += 1;
                ((self.keyless - 1) / STICKY_RECORDS % u64::from(count)) as u32
            }
        };
        partition as usize
    }

    fn send(&mut self, partition: usize) {
        if self.in_flight.len() == BATCHES_IN_FLIGHT {
            self.await_oldest();
        }
        if self.builders[partition].is_empty() || self.refusal.is_some() {
            return;
        }
        let count = RecordCount(u64::from(self.builders[partition].count()));
        let batch = self.builders[partition].finish().to_vec();
        self.builders[partition].clear();
        let answer = self.client.append(&self.topic.partitions[partition], batch);
        self.in_flight.push_back(InFlight { partition, count, answer });
    }

    fn await_oldest(&mut self) {
        let Some(oldest) = self.in_flight.pop_front() else { return };
        let refusal = match oldest.answer.wait() {
            Ok(Ok(appended)) => {
                let range =
                    self.appends.ranges[oldest.partition].get_or_insert((appended.base, appended.base));
                range.1 = appended.base + oldest.count;
                self.appended += oldest.count.0;
                return;
            }
            Ok(Err(error)) => {
                let code = if error == AppendError::NoSpace { ExitCode::Machine } else { ExitCode::Failed };
                Failure::new(code, format!("an append was refused: {}", with_causes(&error)))
            }
            Err(error) => Failure::failed(error.to_string()),
        };
        self.refusal.get_or_insert(refusal);
    }
}

/// Key and value of `line`: what stands before and behind the first `separator`.
fn split<'a>(line: &'a [u8], separator: &[u8]) -> (Option<&'a [u8]>, &'a [u8]) {
    match line.windows(separator.len()).position(|window| window == separator) {
        Some(at) => (Some(&line[..at]), &line[at + separator.len()..]),
        None => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        assert_eq!(split(b"a::b::c", b"::"), (Some(&b"a"[..]), &b"b::c"[..]));
        assert_eq!(split(b"a:b", b"::"), (None, &b"a:b"[..]));
        assert_eq!(split(b"::", b"::"), (Some(&b""[..]), &b""[..]));
    }
}
