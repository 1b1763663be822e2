//! Opening a data folder for one command, and what to say if that fails.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use thalweg_engine::catalog::{CatalogError, Partition, Topic};
use thalweg_engine::client::{CommitOffsetsError, OffsetCommit, ReadError};
use thalweg_engine::folder::{FolderError, MANIFEST_NAME, shard_folder};
use thalweg_engine::limits::SHARDS_MAX;
use thalweg_engine::log::{FlushMethod, OpenError as OpenLogError};
use thalweg_engine::model::{GroupName, ShardId, TopicName};
use thalweg_engine::shard::OpenError;
use thalweg_runtime::{Client, Engine, EngineOptions, LockError, OpenEngineError};

use crate::args::{DataArgs, NewDataArgs, OpenArgs, ShardsArgs};
use crate::exit::{ExitCode, Failure};
use crate::output::say;

/// Opens a data folder, or makes one where there is nothing.
///
/// # Errors
/// A [`Failure`] with the exit code of the cause.
pub fn open_or_create(path: &Path, shards: &ShardsArgs, args: &OpenArgs) -> Result<Engine, Failure> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Err(is_a_file(path));
    }
    // Whoever goes on with a demo days later is still known. There are never too many: see PARTITION_PRODUCERS_MAX.
    let producer_expiry = Duration::ZERO;
    let mut options = EngineOptions { shards: shards.shards, producer_expiry, ..EngineOptions::default() };
    options.runtime.buffered = args.buffered;
    options.log.accept_damage = args.accept_damage;
    let engine = Engine::open(path, options)
        .map_err(|error| Failure::new(open_code(&error), open_message(&error) + open_hint(&error)))?;
    let lost = engine.info().recovery.iter().enumerate();
    for (shard, lost) in lost.filter_map(|(shard, report)| Some((shard, report.damage_accepted.as_ref()?))) {
        say(&format!("warning: damage accepted on shard {shard}: {lost}"));
    }
    for note in engine.notes() {
        say(&format!("note: {note}"));
    }
    Ok(engine)
}

/// Opens the data folder that a command names, or makes it.
///
/// # Errors
/// As [`open_or_create`].
pub fn open_new(args: &NewDataArgs) -> Result<Engine, Failure> {
    open_or_create(&args.data, &args.shards, &args.open)
}

/// Opens the data folder that a command names, and makes none.
///
/// # Errors
/// Exit code 3, if there is none; else as [`open_or_create`].
pub fn open(args: &DataArgs) -> Result<Engine, Failure> {
    find_folder(&args.data)?;
    open_or_create(&args.data, &ShardsArgs::default(), &args.open)
}

/// Makes sure that `path` looks like a data folder: nothing is made in another one, not even a lock file. One without its
/// manifest looks like one as long as there is a shard: it is damaged.
///
/// # Errors
/// Exit code 3, if there is none; 2, if it is no folder; 6, if it cannot be looked at.
pub fn find_folder(path: &Path) -> Result<(), Failure> {
    let none = |what| {
        let hint = "`thalweg topic create` and `thalweg streams run` make one";
        Failure::new(ExitCode::NotFound, format!("the data folder {path:?} {what}; {hint}"))
    };
    let hindered = |error: std::io::Error| {
        Failure::new(ExitCode::Machine, format!("the data folder {path:?} cannot be looked at: {error}"))
    };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(none("does not exist")),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(none("does not exist")),
        Err(error) => return Err(hindered(error)),
        Ok(found) if !found.is_dir() => return Err(is_a_file(path)),
        Ok(_) => {}
    }
    match std::fs::symlink_metadata(path.join(MANIFEST_NAME)) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found.map(drop).map_err(hindered),
    }
    for shard in (0..SHARDS_MAX).map(ShardId) {
        match std::fs::read_dir(shard_folder(path, shard)) {
            Ok(mut names) => {
                if names.next().is_some() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(hindered(error)),
        }
    }
    Err(none("is not a data folder"))
}

fn is_a_file(path: &Path) -> Failure {
    Failure::new(ExitCode::Usage, format!("the data folder {path:?} is a file, not a folder"))
}

/// What a folder that could not be locked ends the program with.
#[must_use]
pub fn lock_code(error: &LockError) -> ExitCode {
    match error {
        LockError::Held { .. } | LockError::HeldByUnknown { .. } => ExitCode::Locked,
        LockError::Io { .. } => ExitCode::Machine,
    }
}

/// What a folder that was not opened ends the program with.
fn open_code(error: &OpenEngineError) -> ExitCode {
    match error {
        OpenEngineError::Locked(error) => lock_code(error),
        OpenEngineError::Machine(_) | OpenEngineError::Io { .. } => ExitCode::Machine,
        OpenEngineError::Folder { source, .. } => match source {
            FolderError::Disk(_) => ExitCode::Machine,
            FolderError::ShardLimit { .. } => ExitCode::Usage,
            FolderError::NotADataFolder { .. } => ExitCode::NotFound,
            FolderError::NotEmpty { .. }
            | FolderError::NewerVersion { .. }
            | FolderError::ShardCount { .. }
            | FolderError::Damaged { .. } => ExitCode::Refused,
        },
        OpenEngineError::Shard { source, .. } => match source {
            OpenError::Log(OpenLogError::Disk { .. }) | OpenError::Manifest { .. } => ExitCode::Machine,
            OpenError::Log(_) | OpenError::CatalogOlder { .. } | OpenError::WriterClosed => ExitCode::Refused,
        },
        OpenEngineError::Panicked(_) => ExitCode::Failed,
    }
}

/// What to say of it. Of a folder that was refused the cause says everything.
fn open_message(error: &OpenEngineError) -> String {
    match error {
        OpenEngineError::Folder { path, source: FolderError::Disk(cause) } => {
            format!("the data folder {path:?} could not be opened: {}", with_causes(cause))
        }
        OpenEngineError::Folder { source, .. } => with_causes(source),
        _ => with_causes(error),
    }
}

/// What to do about it, where that does not follow from the message.
fn open_hint(error: &OpenEngineError) -> &'static str {
    match error {
        OpenEngineError::Folder { source: FolderError::ShardCount { .. }, .. } => "; leave --shards out",
        OpenEngineError::Shard { source: OpenError::Log(OpenLogError::Damaged { sequence, .. }), .. }
            if sequence.0 > 0 =>
        {
            "; nothing was changed; --accept-damage opens it without what is lost"
        }
        _ => "",
    }
}

/// An error and its causes in one line.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some messages already end with their cause.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
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

/// A group's name as the user wrote it.
///
/// # Errors
/// Exit code 2, if it is none.
pub fn group_name(text: &str) -> Result<GroupName, Failure> {
    GroupName::new(text).map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))
}

/// Commits offsets of a group; on return they are durable.
///
/// # Errors
/// A [`Failure`] with the exit code of the cause.
pub fn commit_offsets(client: &Client, group: &GroupName, offsets: Vec<OffsetCommit>) -> Result<(), Failure> {
    let committed = client.commit_offsets(group, offsets).wait().unwrap_or(Err(CommitOffsetsError::Closed));
    committed.map_err(|error| {
        let code = match error {
            CommitOffsetsError::UnknownPartition { .. } => ExitCode::NotFound,
            CommitOffsetsError::MetadataTooLong { .. }
            | CommitOffsetsError::TooManyOffsets { .. }
            | CommitOffsetsError::TooManyGroups { .. }
            | CommitOffsetsError::Memory { .. }
            | CommitOffsetsError::TooLarge { .. } => ExitCode::Usage,
            CommitOffsetsError::NoSpace => ExitCode::Machine,
            CommitOffsetsError::Closed => ExitCode::Failed,
        };
        Failure::new(code, error.to_string())
    })
}

/// Partition `index` of `topic`.
///
/// # Errors
/// A [`Failure`] if it does not exist.
pub fn partition_of(topic: &Topic, index: u32) -> Result<&Partition, Failure> {
    let count = topic.partitions.len();
    topic.partitions.get(index as usize).ok_or_else(|| {
        let message = format!("partition {index} does not exist; {} has {count}", topic.name);
        Failure::new(ExitCode::NotFound, message)
    })
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

/// The topic of this name, if it is not one of a topology's own, which only the topology may change.
/// `what`: what would be done to it.
///
/// # Errors
/// As [`existing_topic`]; exit code 2, if it is internal.
pub fn external_topic(client: &Client, name: &str, what: &str) -> Result<Topic, Failure> {
    let topic = existing_topic(client, name)?;
    if topic.settings.internal {
        let message = format!("topic {name} is an internal topic of a topology and is not {what}");
        return Err(Failure::new(ExitCode::Usage, message));
    }
    Ok(topic)
}

/// What a refused change of the catalog ends the program with.
#[must_use]
pub fn catalog_failure(error: &CatalogError) -> Failure {
    let code = match error {
        CatalogError::Unknown { .. } => ExitCode::NotFound,
        CatalogError::PartitionCount { .. }
        | CatalogError::FewerPartitions { .. }
        | CatalogError::TooManyPartitions { .. } => ExitCode::Usage,
        CatalogError::NoSpace => ExitCode::Machine,
        CatalogError::Exists { .. } | CatalogError::Closed => ExitCode::Failed,
    };
    Failure::new(code, error.to_string())
}

/// What a refused read of `partition` of the data folder `path` ends the program with.
#[must_use]
pub fn read_failure(error: &ReadError, path: &Path, partition: &Partition) -> Failure {
    let code = match error {
        ReadError::UnknownPartition { .. } | ReadError::OutOfRange { .. } => ExitCode::NotFound,
        ReadError::Damaged { .. } => ExitCode::Refused,
        ReadError::TooManyOpenFiles { .. } => ExitCode::Machine,
        ReadError::Disk { .. } | ReadError::Closed => ExitCode::Failed,
    };
    if let ReadError::Damaged { segment, position } = error {
        let file = shard_folder(path, partition.shard).join(format!("segment-{:08x}", segment.0));
        let message = format!("{file:?} is damaged at byte {}: a batch of it does not read", position.0);
        return Failure::new(code, message);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_partitions_than_a_folder_may_have_exceed_a_limit() {
        let failure = catalog_failure(&CatalogError::TooManyPartitions { count: 65_537, limit: 65_536 });
        assert_eq!(failure.code, ExitCode::Usage);
    }
}
