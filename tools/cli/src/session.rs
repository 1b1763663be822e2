//! Opening a data folder for one command, and what to say if that fails.

use std::path::Path;

use thalweg_engine::catalog::{CatalogError, Topic};
use thalweg_engine::client::ReadError;
use thalweg_engine::folder::FolderError;
use thalweg_engine::log::FlushMethod;
use thalweg_engine::model::TopicName;
use thalweg_runtime::{Client, Engine, EngineOptions, OpenEngineError};

use crate::args::OpenArgs;
use crate::exit::{ExitCode, Failure};

/// Opens the data folder `path`.
///
/// # Errors
/// A [`Failure`] with the exit code of the cause.
pub fn open(path: &Path, args: &OpenArgs) -> Result<Engine, Failure> {
    let mut options = EngineOptions { shards: args.shards, ..EngineOptions::default() };
    options.runtime.buffered = args.buffered;
    let engine = Engine::open(path, options).map_err(|error| {
        let code = match &error {
            OpenEngineError::Locked(_) => ExitCode::Locked,
            OpenEngineError::Machine(_) | OpenEngineError::Io { .. } => ExitCode::Machine,
            OpenEngineError::Folder { source: FolderError::Disk(_), .. } => ExitCode::Machine,
            OpenEngineError::Folder { .. } | OpenEngineError::Shard { .. } => ExitCode::Refused,
        };
        Failure::new(code, with_causes(&error))
    })?;
    for note in engine.notes() {
        eprintln!("note: {note}");
    }
    Ok(engine)
}

/// An error and its causes in one line.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// A topic's name as the user wrote it.
///
/// # Errors
/// Exit code 2, if it is none.
pub fn topic_name(text: &str) -> Result<TopicName, Failure> {
    TopicName::new(text).map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))
}

/// The topic of this name.
///
/// # Errors
/// Exit code 3, if there is none; the message names the most similar ones.
pub fn existing_topic(client: &Client, name: &str) -> Result<Topic, Failure> {
    let name = topic_name(name)?;
    let topics = client.topics().map_err(|error| Failure::failed(error.to_string()))?;
    if let Some(topic) = topics.iter().find(|topic| topic.name == name) {
        return Ok(topic.clone());
    }
    let mut known: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    known.truncate(10);
    let hint = if known.is_empty() {
        "there is no topic".to_owned()
    } else {
        format!("there are: {}", known.join(", "))
    };
    Err(Failure::new(ExitCode::NotFound, format!("topic {name} does not exist; {hint}")))
}

/// What a refused change of the catalog ends the program with.
#[must_use]
pub fn catalog_failure(error: &CatalogError) -> Failure {
    let code = match error {
        CatalogError::Unknown { .. } => ExitCode::NotFound,
        CatalogError::PartitionCount { .. } | CatalogError::FewerPartitions { .. } => ExitCode::Usage,
        CatalogError::NoSpace => ExitCode::Machine,
        CatalogError::Exists { .. } | CatalogError::TooManyPartitions { .. } | CatalogError::Closed => {
            ExitCode::Failed
        }
    };
    Failure::new(code, error.to_string())
}

/// What a refused read ends the program with.
#[must_use]
pub fn read_failure(error: &ReadError) -> Failure {
    let code = match error {
        ReadError::UnknownPartition { .. } | ReadError::OutOfRange { .. } => ExitCode::NotFound,
        ReadError::Damaged { .. } => ExitCode::Refused,
        ReadError::Disk { .. } | ReadError::Closed => ExitCode::Failed,
    };
    Failure::new(code, error.to_string())
}

/// Closes `engine` after the command's work, and keeps the first failure.
///
/// # Errors
/// That of `outcome`, else that of closing.
pub fn close<T>(engine: Engine, outcome: Result<T, Failure>) -> Result<T, Failure> {
    let closed = engine.close().map_err(|error| Failure::failed(with_causes(&error)));
    let value = outcome?;
    closed.map(|()| value)
}

/// How writes are made durable, for people.
#[must_use]
pub fn flush_name(flush: FlushMethod) -> &'static str {
    match flush {
        FlushMethod::WriteThrough => "write-through (O_DSYNC)",
        FlushMethod::Flush => "write and fdatasync",
    }
}
