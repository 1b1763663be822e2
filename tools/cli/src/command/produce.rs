//! `thalweg produce`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg_engine::catalog::Topic;
use thalweg_engine::client::{AppendError, Appended};
use thalweg_engine::limits::RECORD_SIZE_MAX;
use thalweg_engine::model::{
    BatchBuilder, BatchError, Header, Offset, RecordCount, Timestamp, partition_for_key,
};
use thalweg_runtime::{Client, Pending};

use crate::args::{LineFormat, ProduceArgs};
use crate::clock;
use crate::exit::{ExitCode, Failure};
use crate::output::{print_json, print_line, say};
use crate::records::{JsonRecord, Lines, Next, Pieces};
use crate::session::{self, with_causes};
use crate::signal::Interrupt;

/// A batch is sent when it has this many bytes.
const BATCH_SIZE: usize = 256 << 10;

/// Longest line of JSON. A record's bytes may take six there each, as `\u0000`; the record has its own limit.
const JSON_LINE_SIZE_MAX: usize = 6 * RECORD_SIZE_MAX + (1 << 20);

/// Batches under way at once, all partitions together.
const BATCHES_IN_FLIGHT: usize = 32;

/// Records without key go to one partition until so many of them were appended there.
const STICKY_RECORDS: u64 = 1000;

/// Records that were read wait for more of their batch this long.
const LINGER: Duration = Duration::from_millis(100);

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &ProduceArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let input: Box<dyn Read + Send> = match &args.file {
        None => Box::new(std::io::stdin()),
        Some(path) => Box::new(open(path)?),
    };
    let engine = session::open(&args.data)?;
    let outcome = Producer::new(&engine.client(), args)
        .and_then(|producer| producer.run(&Pieces::of(input), &interrupt));
    let (appends, was_interrupted) = session::close(engine, outcome)?;
    let Appends { records, bytes, ranges } = appends;
    if args.json {
        let rows = ranges.iter().enumerate().filter_map(|(partition, range)| {
            let (start, end) = range.as_ref()?;
            Some(json!({"partition": partition, "start": start.0, "end": end.0}))
        });
        let rows: Vec<Value> = rows.collect();
        print_json(&json!({"topic": args.topic, "records": records, "bytes": bytes, "partitions": rows}))?;
    } else {
        print_line(&format!("appended {records} records of {bytes} bytes to {}", args.topic))?;
    }
    if was_interrupted {
        return Err(Failure::new(ExitCode::Interrupted, "interrupted; what was read is appended"));
    }
    Ok(())
}

fn open(path: &Path) -> Result<File, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(ExitCode::NotFound, format!("{} cannot be read: {error}", path.display()))
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(unreadable(ErrorKind::IsADirectory.into()));
    }
    Ok(file)
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

/// Why no more was taken.
#[derive(Clone, Copy, Eq, PartialEq)]
enum End {
    OfInput,
    Interrupted,
}

struct Producer {
    client: Client,
    topic: Topic,
    format: LineFormat,
    separator: Option<Vec<u8>>,
    only: Option<u32>,
    builders: Vec<BatchBuilder>,
    in_flight: VecDeque<InFlight>,
    appends: Appends,
    keyless: u64,
    /// Since when the oldest record that was not sent has waited.
    waiting_since: Option<Instant>,
    /// Records known durable.
    appended: u64,
    /// Why an append was refused; nothing more is sent then.
    refusal: Option<Failure>,
}

impl Producer {
    fn new(client: &Client, args: &ProduceArgs) -> Result<Self, Failure> {
        let topic = session::external_topic(client, &args.topic, "written by others")?;
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
        if separator.is_some() && args.format == LineFormat::Json {
            return Err(Failure::new(ExitCode::Usage, "--key-separator is for --format text"));
        }
        Ok(Self {
            client: client.clone(),
            topic,
            format: args.format,
            separator,
            only: args.partition,
            builders: (0..count).map(|_| BatchBuilder::new()).collect(),
            in_flight: VecDeque::new(),
            appends: Appends { records: 0, bytes: 0, ranges: vec![None; count] },
            keyless: 0,
            waiting_since: None,
            appended: 0,
            refusal: None,
        })
    }

    /// Appends every line of `input`; returns what was appended, and whether an interrupt came before the
    /// end. A line that is refused ends it, once those before it are durable.
    fn run(mut self, input: &Pieces, interrupt: &Interrupt) -> Result<(Appends, bool), Failure> {
        let taken = self.take(input, interrupt);
        self.settle();
        match self.refusal {
            None => taken.map(|end| (self.appends, end == End::Interrupted)),
            Some(Failure { code, message }) => {
                let message = format!("{message}; {} records were appended", self.appended);
                Err(Failure::new(code, message))
            }
        }
    }

    /// Takes lines of `input` into batches until its end or an interrupt or until an append is refused. Sends
    /// batches that are full, and all of them when the input pauses or the oldest record has waited long
    /// enough.
    fn take(&mut self, input: &Pieces, interrupt: &Interrupt) -> Result<End, Failure> {
        let mut lines = Lines::default();
        let limit = match self.format {
            LineFormat::Text => RECORD_SIZE_MAX,
            LineFormat::Json => JSON_LINE_SIZE_MAX,
        };
        while self.refusal.is_none() {
            if interrupt.is_requested() {
                let begun = lines.begun().len();
                if begun > 0 {
                    say(&format!("note: a line of which {begun} bytes had come was left out"));
                }
                return Ok(End::Interrupted);
            }
            match input.next(LINGER) {
                Next::Piece(piece) => lines.take(&piece, limit, |line| self.push(line))?,
                Next::Nothing => self.settle(),
                Next::End if lines.begun().is_empty() => break,
                Next::End => {
                    self.push(lines.begun())?;
                    break;
                }
                Next::Failed(error) => {
                    let before = self.appends.records;
                    let message =
                        format!("the input cannot be read: {error}; {before} records were appended");
                    return Err(Failure::failed(message));
                }
            }
            if self.waiting_since.is_some_and(|since| since.elapsed() >= LINGER) {
                self.send_all();
            }
        }
        Ok(End::OfInput)
    }

    /// Sends everything, and waits until it is durable.
    fn settle(&mut self) {
        self.send_all();
        while !self.in_flight.is_empty() {
            self.await_oldest();
        }
    }

    fn send_all(&mut self) {
        for partition in 0..self.builders.len() {
            self.send(partition);
        }
        self.waiting_since = None;
    }

    fn push(&mut self, line: &[u8]) -> Result<(), Failure> {
        let pushed = match self.format {
            LineFormat::Json if line.len() > JSON_LINE_SIZE_MAX => {
                Err(format!("the line is longer than the limit of {JSON_LINE_SIZE_MAX} bytes"))
            }
            LineFormat::Json => JsonRecord::parse(line).and_then(|record| {
                let JsonRecord { key, value, headers, timestamp } = record;
                let timestamp = timestamp.unwrap_or_else(|| Timestamp(clock::wall_clock_ms()));
                let pushed = self.push_record(timestamp, key.as_deref(), value.as_deref(), &headers);
                pushed.map_err(|error| error.to_string())
            }),
            LineFormat::Text => {
                let separator = self.separator.take();
                let (key, value) = match &separator {
                    Some(separator) => split(line, separator),
                    None => (None, line),
                };
                let pushed = self.push_record(Timestamp(clock::wall_clock_ms()), key, Some(value), &[]);
                self.separator = separator;
                pushed.map_err(|error| refusal(&error, line.len()))
            }
        };
        let partition = pushed.map_err(|reason| {
            let before = self.appends.records;
            let message =
                format!("line {} was refused: {reason}; the {before} before it are appended", before + 1);
            Failure::new(ExitCode::Usage, message)
        })?;
        self.waiting_since.get_or_insert_with(clock::now);
        self.appends.records += 1;
        self.appends.bytes += line.len() as u64;
        if self.builders[partition].size() >= BATCH_SIZE {
            self.send(partition);
        }
        Ok(())
    }

    /// Adds a record to the batch of its partition, which it returns.
    fn push_record(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<usize, BatchError> {
        let partition = self.partition(key);
        let mut pushed = self.builders[partition].push(timestamp, key, value, headers);
        if matches!(pushed, Err(BatchError::BatchTooLarge { .. } | BatchError::TooManyRecords { .. })) {
            self.send(partition);
            pushed = self.builders[partition].push(timestamp, key, value, headers);
        }
        pushed.map(|()| partition)
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

/// Why a line of `length` bytes is no record.
fn refusal(error: &BatchError, length: usize) -> String {
    match *error {
        BatchError::RecordTooLarge { limit, .. } if length > limit => {
            format!("it is longer than the limit of {limit} bytes")
        }
        BatchError::RecordTooLarge { size, limit } => {
            let (own, most) = (size - length, limit - (size - length));
            format!(
                "it has {length} bytes and takes {own} more as a record; the limit of {limit} leaves {most}"
            )
        }
        _ => error.to_string(),
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
