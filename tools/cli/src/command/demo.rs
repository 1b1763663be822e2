//! `thalweg demo`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::args::DemoArgs;
use crate::demo::{Corpus, CorpusError, Demo, Report};
use crate::exit::{ExitCode, Failure};
use crate::output::print_line;
use crate::output::say;
use crate::session;
use crate::signal::Interrupt;

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let corpus = if args.texts.is_empty() { Corpus::read_own_sources() } else { Corpus::read(&args.texts) };
    let corpus = corpus.map_err(|error| {
        let code = match &error {
            CorpusError::Unreadable { .. } | CorpusError::NoDefault { .. } => ExitCode::NotFound,
            CorpusError::TooLarge { .. }
            | CorpusError::TooManyLines { .. }
            | CorpusError::WordTooLong { .. }
            | CorpusError::Empty => ExitCode::Usage,
        };
        Failure::new(code, error.to_string())
    })?;
    let demo = Demo {
        corpus: Arc::new(corpus),
        copies: args.copies,
        top: args.top,
        commit_interval: Duration::from_millis(args.commit_interval_ms),
        progress_interval: Duration::from_millis(args.progress_interval_ms),
    };
    let report = match &args.data {
        Some(data) => count(&demo, data, args, &interrupt).map_err(|failure| match failure.code {
            ExitCode::Interrupted => {
                Failure::new(failure.code, format!("{}; start it again to go on", failure.message))
            }
            _ => failure,
        })?,
        None => {
            let folder = TemporaryFolder(PathBuf::from(format!("thalweg-demo-{}", std::process::id())));
            count(&demo, &folder.0, args, &interrupt)?
        }
    };
    print_line(&if args.json { report.json() } else { report.text() })?;
    if report.verified {
        return Ok(());
    }
    Err(Failure::failed("the counts are not those of a plain count of the same text"))
}

fn count(demo: &Demo, data: &Path, args: &DemoArgs, interrupt: &Interrupt) -> Result<Report, Failure> {
    let engine = session::open_or_create(data, &args.shards, &args.open)?;
    let outcome = demo.run(&engine, interrupt);
    session::close(engine, outcome)
}

/// A folder that is removed at the end.
struct TemporaryFolder(PathBuf);

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && self.0.exists()
        {
            say(&format!("note: {} could not be removed: {error}", self.0.display()));
        }
    }
}
