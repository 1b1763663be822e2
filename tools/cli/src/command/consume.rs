//! `thalweg consume`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use thalweg_engine::catalog::Partition;
use thalweg_engine::client::{OffsetCommit, ReadError};
use thalweg_engine::model::{BatchView, GroupName, Offset, PartitionId, RecordRef, TimeSearch, Timestamp};
use thalweg_engine::shard::OwnedBatch;
use thalweg_runtime::Client;

use crate::args::{ConsumeArgs, Format, Start};
use crate::exit::{ExitCode, Failure};
use crate::output::{self, say, write_line};
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
    let group = args.group.as_deref().map(session::group_name).transpose()?;
    let group = group.map(|name| Group::find(client, name)).transpose()?;
    let mut left = args.max.unwrap_or(u64::MAX);
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    for (index, partition) in topic.partitions.iter().enumerate() {
        if args.partition.is_none_or(|only| only as usize == index) {
            print_partition(client, args, group.as_ref(), (index, partition), &mut left, &mut out)?;
        }
    }
    out.flush().map_err(|error| output::failure(&error))
}

/// The group that reads.
struct Group {
    name: GroupName,
    committed: BTreeMap<PartitionId, Offset>,
}

impl Group {
    fn find(client: &Client, name: GroupName) -> Result<Self, Failure> {
        let committed = client.committed_offsets(&name, None);
        let committed = committed.map_err(|error| Failure::failed(error.to_string()))?;
        let committed = committed.into_iter().map(|found| (found.partition, found.offset)).collect();
        Ok(Self { name, committed })
    }

    /// Commits that everything before `next` was printed, which is on its way to whoever reads it.
    fn commit(&self, client: &Client, partition: &Partition, next: Offset) -> Result<(), Failure> {
        let commit = OffsetCommit { partition: partition.id, offset: next, ..OffsetCommit::default() };
        session::commit_offsets(client, &self.name, vec![commit])
    }
}

/// Prints what `partition` holds now, from where `args` and the group say, at most `left` records.
fn print_partition(
    client: &Client,
    args: &ConsumeArgs,
    group: Option<&Group>,
    (index, partition): (usize, &Partition),
    left: &mut u64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let failure = |error: ReadError| session::read_failure(&error, &args.data.data, partition);
    let bounds = client.bounds(partition).map_err(failure)?;
    let committed = group.and_then(|group| group.committed.get(&partition.id).copied());
    let mut next = match (args.from_time, args.from) {
        _ if committed.is_some() => committed.unwrap_or_default(),
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
        say(&format!("note: partition {index} ends at {}, before offset {next}", bounds.end));
    }
    while next < bounds.end && *left > 0 {
        let batches = match client.read(partition, next, READ_SIZE, Duration::ZERO) {
            // Asked for too late, or let go while this one read.
            Err(ReadError::OutOfRange { start, .. }) if next < start => {
                say(&format!("note: partition {index} begins at {start}, behind offset {next}"));
                next = start;
                continue;
            }
            read => read.map_err(failure)?,
        };
        if batches.is_empty() {
            break;
        }
        for batch in &batches {
            if *left == 0 {
                break;
            }
            next = print_batch(args, index, batch, next, left, out)?;
        }
        if let Some(group) = group {
            out.flush().map_err(|error| output::failure(&error))?;
            group.commit(client, partition, next)?;
        }
    }
    // Where the group begins is kept even if there was nothing to print.
    match group {
        Some(group) if committed.is_none() && *left > 0 => group.commit(client, partition, next),
        _ => Ok(()),
    }
}

/// Prints what the batch holds from offset `from` on, at most `left` records; the offset behind what was printed.
fn print_batch(
    args: &ConsumeArgs,
    partition: usize,
    batch: &OwnedBatch,
    from: Offset,
    left: &mut u64,
    out: &mut impl Write,
) -> Result<Offset, Failure> {
    let view = BatchView::parse(&batch.bytes)
        .map_err(|error| Failure::new(ExitCode::Refused, format!("offset {}: {error}", batch.base)))?;
    for (offset, record) in view.numbered(batch.base) {
        if offset < from {
            continue;
        }
        if *left == 0 {
            return Ok(offset);
        }
        *left -= 1;
        let line = if args.json {
            json_record(args, partition, offset, &record).to_string().into_bytes()
        } else {
            text_record(args, &record)
        };
        write_line(out, &line)?;
    }
    Ok(batch.end)
}

/// A record as `produce --format json` takes it.
fn json_record(args: &ConsumeArgs, partition: usize, offset: Offset, record: &RecordRef<'_>) -> Value {
    let headers = record.headers.iter().map(|header| {
        let mut object = Map::new();
        object.insert("name".to_owned(), json!(header.name));
        put(&mut object, "value", Format::Text, header.value);
        Value::Object(object)
    });
    let headers: Vec<Value> = headers.collect();
    let mut object = Map::new();
    object.insert("partition".to_owned(), json!(partition));
    object.insert("offset".to_owned(), json!(offset.0));
    object.insert("timestamp".to_owned(), json!(record.timestamp.0));
    object.insert("headers".to_owned(), headers.into());
    put(&mut object, "key", args.key_format, record.key);
    put(&mut object, "value", args.value_format, record.value);
    Value::Object(object)
}

/// Adds bytes under `name`, or with the ending that tells what they are given as.
fn put(object: &mut Map<String, Value>, name: &str, format: Format, bytes: Option<&[u8]>) {
    let (ending, value) = match (format, bytes) {
        (_, None) => ("", Value::Null),
        (Format::Text, Some(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => ("", json!(text)),
            Err(_) => ("_base64", json!(STANDARD.encode(bytes))),
        },
        (Format::I64 | Format::Hex, Some(bytes)) => match (format, <[u8; 8]>::try_from(bytes)) {
            (Format::I64, Ok(number)) => ("", json!(i64::from_be_bytes(number))),
            _ => ("_hex", json!(hex(bytes))),
        },
    };
    object.insert(format!("{name}{ending}"), value);
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

/// Bytes as digits.
fn text(format: Format, bytes: &[u8]) -> String {
    match (format, <[u8; 8]>::try_from(bytes)) {
        (Format::I64, Ok(number)) => i64::from_be_bytes(number).to_string(),
        _ => hex(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_printed_in_the_format_asked_for() {
        assert_eq!(text(Format::Hex, b"a\xff"), "61ff");
        assert_eq!(text(Format::I64, &(-7i64).to_be_bytes()), "-7");
        assert_eq!(text(Format::I64, b"abc"), "616263");
        let printed = |format, bytes: &[u8]| {
            let mut object = Map::new();
            put(&mut object, "key", format, Some(bytes));
            Value::Object(object)
        };
        assert_eq!(printed(Format::Text, b"a"), json!({"key": "a"}));
        assert_eq!(printed(Format::Text, b"a\xff"), json!({"key_base64": "Yf8="}));
        assert_eq!(printed(Format::I64, &7i64.to_be_bytes()), json!({"key": 7}));
        assert_eq!(printed(Format::I64, b"abc"), json!({"key_hex": "616263"}));
        assert_eq!(printed(Format::Hex, &7i64.to_be_bytes()), json!({"key_hex": "0000000000000007"}));
    }
}
