//! The demo: text in, counts out, through a durable, exactly-once topology; every count checked.

mod corpus;
mod loader;
mod own_sources;
mod pace;
mod progress;
mod report;
mod run;
mod watch;
mod words;

pub use corpus::{
    CORPUS_LINES_MAX, CORPUS_SIZE_MAX, Corpus, CorpusError, Counts, LINE_SIZE_MAX, WORD_SIZE_MAX,
};
pub use progress::{Position, Progress};
pub use report::{Latency, Report};
pub use run::{Demo, latency_histogram};
pub use words::Words;
