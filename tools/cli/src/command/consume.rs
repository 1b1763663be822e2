//! `thalweg consume`.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::time::Duration;

use serde_json::{Value, json};
use thalweg_engine::catalog::Partition;
use thalweg_engine::client::ReadError;
use thalweg_engine::model::{BatchView, Offset, RecordCount, RecordRef, TimeSearch, Timestamp};
use thalweg_engine::shard::OwnedBatch;
use thalweg_runtime::Client;

use crate::args::{ConsumeArgs, Format, Start};
use crate::exit::{ExitCode, Failure};
use crate::output::{self, write_line};
use crate::session;

/// Bytes of one read.
const READ_SIZE: usize = 1 << 20;

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &ConsumeArgs) -> Result<(), Failure> {
    let engine = session::open(&args.data)?;
    let outcome = consume(&engine.client(), args);
    session::close(engine, outcome)
}

fn consume(client: &Client, args: &ConsumeArgs) -> Result<(), Failure> {
    let topic = session::existing_topic(client, &args.topic)?;
    if let Some(partition) = args.partition {
        session::partition_of(&topic, partition)?;
    }
    let mut left = args.max.unwrap_or(u64::MAX);
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    for (index, partition) in topic.partitions.iter().enumerate() {
        if args.partition.is_none_or(|only| only as usize == index) {
            print_partition(client, args, (index, partition), &mut left, &mut out)?;
        }
    }
    out.flush().map_err(|error| output::failure(&error))
}

/// Prints what `partition` holds now, from where `args` say, at most `left` records.
fn print_partition(
    client: &Client,
    args: &ConsumeArgs,
    (index, partition): (usize, &Partition),
    left: &mut u64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let failure = |error: ReadError| session::read_failure(&error, &args.data.data, partition);
    let bounds = client.bounds(partition).map_err(failure)?;
    let mut next = match (args.from_time, args.from) {
        (Some(time), _) => {
            let search = TimeSearch::Since(Timestamp(time));
            let found = client.find_by_time(partition, search).map_err(failure)?;
            found.map_or(bounds.end, |found| found.offset)
        }
        (None, Start::Beginning) => bounds.start,
        (None, Start::End) => bounds.end,
        (None, Start::Offset(offset)) => Offset(offset),
    };
    if next > bounds.end {
        eprintln!("note: partition {index} ends at {}, before offset {next}", bounds.end);
    }
    while next < bounds.end && *left > 0 {
        let batches = match client.read(partition, next, READ_SIZE, Duration::ZERO) {
            // Asked for too late, or let go while this one read.
            Err(ReadError::OutOfRange { start, .. }) if next < start => {
                eprintln!("note: partition {index} begins at {start}, behind offset {next}");
                next = start;
                continue;
            }
            read => read.map_err(failure)?,
        };
        if batches.is_empty() {
            break;
        }
        for batch in &batches {
            print_batch(args, index, batch, next, left, out)?;
            next = batch.base + RecordCount(u64::from(batch.count));
        }
    }
    Ok(())
}

fn print_batch(
    args: &ConsumeArgs,
    partition: usize,
    batch: &OwnedBatch,
    from: Offset,
    left: &mut u64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let view = BatchView::parse(&batch.bytes)
        .map_err(|error| Failure::new(ExitCode::Refused, format!("offset {}: {error}", batch.base)))?;
    for (index, record) in view.iter().enumerate() {
        let offset = batch.base + RecordCount(index as u64);
        if offset < from {
            continue;
        }
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        let line = if args.json {
            json_record(args, partition, offset, &record).to_string().into_bytes()
        } else {
            text_record(args, &record)
        };
        write_line(out, &line)?;
    }
    Ok(())
}

fn json_record(args: &ConsumeArgs, partition: usize, offset: Offset, record: &RecordRef<'_>) -> Value {
    let header_value = |value: Option<&[u8]>| value.map(|value| text(Format::Text, value));
    let headers = record.headers.iter();
    let headers: Vec<Value> =
        headers.map(|header| json!({"name": header.name, "value": header_value(header.value)})).collect();
    json!({
        "partition": partition,
        "offset": offset.0,
        "timestamp": record.timestamp.0,
        "key": record.key.map(|key| json_bytes(args.key_format, key)),
        "value": record.value.map(|value| json_bytes(args.value_format, value)),
        "headers": headers,
    })
}

/// Key, tab and value; the key only if there is one. In text format the bytes are printed as they are.
fn text_record(args: &ConsumeArgs, record: &RecordRef<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    let mut add = |format: Format, bytes: &[u8]| match format {
        Format::Text => line.extend_from_slice(bytes),
        other => line.extend_from_slice(text(other, bytes).as_bytes()),
    };
    if let Some(key) = record.key {
        add(args.key_format, key);
        add(Format::Text, b"\t");
    }
    if let Some(value) = record.value {
        add(args.value_format, value);
    }
    line
}

fn json_bytes(format: Format, bytes: &[u8]) -> Value {
    match (format, <[u8; 8]>::try_from(bytes)) {
        (Format::I64, Ok(number)) => json!(i64::from_be_bytes(number)),
        _ => json!(text(format, bytes)),
    }
}

fn text(format: Format, bytes: &[u8]) -> String {
    match (format, <[u8; 8]>::try_from(bytes)) {
        (Format::Text, _) => String::from_utf8_lossy(bytes).into_owned(),
        (Format::I64, Ok(number)) => i64::from_be_bytes(number).to_string(),
        (Format::I64 | Format::Hex, _) => bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_printed_in_the_format_asked_for() {
        assert_eq!(text(Format::Text, b"a\xff"), "a\u{fffd}");
        assert_eq!(text(Format::Hex, b"a\xff"), "61ff");
        assert_eq!(text(Format::I64, &(-7i64).to_be_bytes()), "-7");
        assert_eq!(text(Format::I64, b"abc"), "616263");
        assert_eq!(json_bytes(Format::I64, &7i64.to_be_bytes()), json!(7));
    }
}
