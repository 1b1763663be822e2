//! Standard output: a reader that has gone away ends the program quietly. And standard error, which may be lost.

use std::io::{ErrorKind, Write};

use serde_json::Value;

use crate::exit::{ExitCode, Failure};

/// Prints one line.
///
/// # Errors
/// A [`Failure`] if standard output cannot be written; exit code 0 if it was closed, as by `head`.
pub fn print_line(line: &str) -> Result<(), Failure> {
    write_line(&mut std::io::stdout().lock(), line.as_bytes())
}

/// Prints one JSON value in one line.
///
/// # Errors
/// As [`print_line`].
pub fn print_json(value: &Value) -> Result<(), Failure> {
    print_line(&value.to_string())
}

/// Writes one line to `out`.
///
/// # Errors
/// As [`print_line`].
pub fn write_line(out: &mut impl Write, line: &[u8]) -> Result<(), Failure> {
    out.write_all(line).and_then(|()| out.write_all(b"\n")).map_err(|error| failure(&error))
}

/// Says one line on standard error. If that cannot be written, there is nobody to tell, and the work goes on.
pub fn say(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// What an error of standard output ends the program with: nothing is wrong if its reader has gone.
#[must_use]
pub fn failure(error: &std::io::Error) -> Failure {
    let code = if error.kind() == ErrorKind::BrokenPipe { ExitCode::Done } else { ExitCode::Failed };
    Failure::new(code, format!("standard output cannot be written: {error}"))
}
