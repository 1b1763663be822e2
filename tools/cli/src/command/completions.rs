//! `thalweg completions`.

use std::io::Write;

use clap::CommandFactory;

use crate::args::{CompletionsArgs, Thalweg};
use crate::exit::Failure;
use crate::output;

/// Prints the completion script.
///
/// # Errors
/// A [`Failure`] if standard output cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Thalweg::command(), "thalweg", &mut script);
    let mut out = std::io::stdout().lock();
    out.write_all(&script).and_then(|()| out.flush()).map_err(|error| output::failure(&error))
}
