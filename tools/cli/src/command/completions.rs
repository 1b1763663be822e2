//! `thalweg completions`.

use clap::CommandFactory;

use crate::args::{CompletionsArgs, Thalweg};

/// Prints the completion script.
pub fn run(args: &CompletionsArgs) {
    clap_complete::generate(args.shell, &mut Thalweg::command(), "thalweg", &mut std::io::stdout());
}
