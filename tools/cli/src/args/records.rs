//! `thalweg produce` and `thalweg consume`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::DataArgs;
use super::units::parse_time;

/// What to append.
#[derive(Args, Debug)]
#[command(after_help = "\
Each line is one record; its bytes are taken as they are, without the line's end. On return all are durable.
When the input pauses for 100 ms, what has come of it is appended, so that it may be one that lives on, as of
`tail -f`. Interrupted, the command appends the lines that it has read, says how many, and ends with code 130.
A line that is too long ends the command; the lines before it are appended then.

With --format json a line is an object as `consume --json` prints it: {\"key\": TEXT, \"value\": TEXT, \"timestamp\": MS,
\"headers\": [{\"name\": TEXT, \"value\": TEXT}]}. What is no text is given as \"key_base64\" and \"value_base64\", or in hex digits as
\"key_hex\" and \"value_hex\"; a number is a signed 64-bit big-endian integer. \"partition\" and \"offset\" are read over. Without \"timestamp\" it is the time of the append.

Examples:
  echo '{\"key\": \"k1\", \"value_base64\": \"AP8=\"}' | thalweg produce pairs --format json --data ./data
  thalweg produce lines --data ./data < book.txt
  printf 'k1\\tv1\\nk2\\tv2\\n' | thalweg produce pairs --key-separator '\\t' --data ./data")]
pub struct ProduceArgs {
    /// Name of the topic; it must exist.
    pub topic: String,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Read this file instead of standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What a line is.
    #[arg(long, value_enum, default_value_t = LineFormat::Text)]
    pub format: LineFormat,
    /// Split each line at the first occurrence of this text into key and value (\t is a tab). A line
    /// without it has no key.
    #[arg(long, value_name = "TEXT")]
    pub key_separator: Option<String>,
    /// Append to this partition. Default: by the key's hash, or in turn for records without key.
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Print one JSON object with the number of records and, by partition, the offsets they were given.
    #[arg(long)]
    pub json: bool,
}

/// What a line of `produce` is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LineFormat {
    /// A value, or key and value.
    Text,
    /// An object with key, value, headers and timestamp, each of which may be left out.
    Json,
}

/// How bytes are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// The bytes as they are; in JSON as text, or in base64 (`value_base64`) where they are not UTF-8.
    Text,
    /// As a signed 64-bit big-endian integer, or as hex digits (in JSON `value_hex`) if there are not eight bytes.
    I64,
    /// As hex digits; in JSON `value_hex`.
    Hex,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// The oldest record.
    Beginning,
    /// Behind the newest record.
    End,
    /// This offset.
    Offset(u64),
}

/// What to print.
#[derive(Args, Debug)]
#[command(after_help = "\
Prints what the topic holds now, partition by partition, then ends. A line is key, tab and value; the value alone
if the record has no key.

Examples:
  thalweg consume lines --data ./data --max 10
  thalweg consume lines --data ./data --from-time 2026-11-24T15:00:00Z
  thalweg consume lines --data ./data --group readers
  thalweg consume word-counts --data ./data --value-format i64 --json")]
pub struct ConsumeArgs {
    /// Name of the topic.
    pub topic: String,
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Read this partition only. Default: all, one after the other.
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Where to begin in each partition: `beginning`, `end` or an offset.
    #[arg(long, value_name = "WHERE", default_value = "beginning", value_parser = parse_start)]
    pub from: Start,
    /// Begin in each partition at the first record with this timestamp or a later one: RFC 3339, or milliseconds since
    /// 1970. Nothing of a partition without such a record is printed.
    #[arg(long, value_name = "TIME", conflicts_with = "from", value_parser = parse_time, allow_hyphen_values = true)]
    pub from_time: Option<i64>,
    /// Go on in each partition where this group has committed to go on, and commit what was printed, durably, before the
    /// command ends; what is printed and not committed, because the command was killed, is printed again. Where the group has
    /// committed nothing yet, --from counts.
    #[arg(long, value_name = "NAME", conflicts_with = "from_time")]
    pub group: Option<String>,
    /// Stop after this many records.
    #[arg(long, value_name = "N")]
    pub max: Option<u64>,
    /// How keys are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub key_format: Format,
    /// How values are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub value_format: Format,
    /// Print one JSON object a line, with partition, offset, timestamp, key, value and headers.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn parse_start(text: &str) -> Result<Start, String> {
    match text {
        "beginning" => Ok(Start::Beginning),
        "end" => Ok(Start::End),
        number => number
            .parse()
            .map(Start::Offset)
            .map_err(|_| format!("'{number}' is neither 'beginning' nor 'end' nor an offset")),
    }
}
