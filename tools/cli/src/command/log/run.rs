//! What is done, and what it ends with.

use std::future::Future;
use std::path::{Path, PathBuf};

use thalweg_engine::folder::{
    FORMAT_VERSION, FolderCheck, FolderError, FolderInspectError, FolderView, folder_format, inspect_folder,
    verify_folder,
};
use thalweg_engine::log::inspect::{FrameView, InspectError, list_frames};
use thalweg_engine::model::Sequence;
use thalweg_runtime::{FolderLock, GlommioRuntime, LockError, RuntimeOptions, start};

use super::{json, text};
use crate::args::{LogArgs, LogCommand, LogFolderArgs, LogInspectArgs};
use crate::exit::{ExitCode, Failure};
use crate::output::{print_json, print_line};
use crate::session::{find_folder, lock_code, with_causes};

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`]; exit code 5 for damage and for a newer version.
pub fn run(args: &LogArgs) -> Result<(), Failure> {
    match &args.command {
        LogCommand::Inspect(args) => inspect(args),
        LogCommand::Verify(args) => verify(args),
        LogCommand::Format(args) => format(args),
    }
}

/// Frames of each shard, in the order of the shards.
type Frames = Vec<Vec<FrameView>>;

fn inspect(args: &LogInspectArgs) -> Result<(), Failure> {
    let limit = if args.frames { args.limit as usize } else { 0 };
    let from = Sequence(args.from);
    let looked: Result<(FolderView, Frames), FolderInspectError> =
        look(&args.folder, move |runtime, path| async move {
            let view = inspect_folder(&runtime, &path).await?;
            let mut frames = Vec::new();
            for shard in view.shards.iter().filter(|_| limit > 0) {
                let listed = list_frames(&runtime, &shard.log.folder, from, limit).await;
                let shard = shard.shard;
                frames.push(listed.map_err(|source| FolderInspectError::Log { shard, source })?);
            }
            Ok((view, frames))
        })?;
    let (view, frames) = looked.map_err(|error| refusal(&error))?;
    if args.folder.json {
        return print_json(&json::folder_view(&view, &frames));
    }
    text::folder_view(&view, &frames)
}

fn verify(args: &LogFolderArgs) -> Result<(), Failure> {
    let checked: Result<FolderCheck, FolderInspectError> =
        look(args, |runtime, path| async move { verify_folder(&runtime, &path).await })?;
    let check = checked.map_err(|error| refusal(&error))?;
    if args.json {
        print_json(&json::folder_check(&check))?;
    } else {
        text::folder_check(&check)?;
    }
    match check.damages() {
        0 => Ok(()),
        1 => {
            Err(Failure::new(ExitCode::Refused, format!("{:?} has 1 damage; nothing was changed", args.data)))
        }
        many => {
            let message = format!("{:?} has {many} damages; nothing was changed", args.data);
            Err(Failure::new(ExitCode::Refused, message))
        }
    }
}

fn format(args: &LogFolderArgs) -> Result<(), Failure> {
    let found = look(args, |runtime, path| async move { folder_format(&runtime, &path).await })?;
    let found = found.map_err(|error| refusal(&error))?;
    if args.json {
        print_json(&serde_json::json!({
            "format": found.version, "reads_up_to": FORMAT_VERSION, "known": found.is_known(),
            "file": json::path(&found.file), "shards": found.shards,
            "id": found.id.map(|id| format!("{:016x}", id.0)),
        }))?;
    } else {
        print_line(&format!("format {}; this program reads up to {FORMAT_VERSION}", found.version))?;
    }
    if found.is_known() {
        return Ok(());
    }
    let message = format!("{:?} was written by a newer version; nothing was changed", found.file);
    Err(Failure::new(ExitCode::Refused, message))
}

/// Runs `task` on an executor of its own, with the data folder locked.
fn look<T, F>(
    args: &LogFolderArgs,
    task: impl Fn(GlommioRuntime, PathBuf) -> F + Clone + Send + 'static,
) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let path = existing_folder(&args.data)?;
    let lock = FolderLock::acquire(&path)
        .map_err(|error: LockError| Failure::new(lock_code(&error), error.to_string()))?;
    let options = RuntimeOptions { buffered: args.buffered, pin: false, ..RuntimeOptions::default() };
    let executors = start(1, &options, move |runtime, _| task(runtime, path.clone()))
        .map_err(|error| Failure::new(ExitCode::Machine, with_causes(&error)))?;
    let output = executors.join().remove(0);
    drop(lock);
    Ok(output)
}

/// The folder, if it looks like a data folder.
fn existing_folder(path: &Path) -> Result<PathBuf, Failure> {
    find_folder(path)?;
    path.canonicalize().map_err(|error| Failure::new(ExitCode::Machine, format!("{path:?}: {error}")))
}

/// What a folder that could not be looked at ends the program with.
fn refusal(error: &FolderInspectError) -> Failure {
    let code = match error {
        FolderInspectError::Folder(FolderError::NotADataFolder { .. }) => ExitCode::NotFound,
        FolderInspectError::Folder(FolderError::Disk(_))
        | FolderInspectError::Log { source: InspectError::Disk { .. }, .. } => ExitCode::Machine,
        FolderInspectError::Folder(_) | FolderInspectError::Log { .. } => ExitCode::Refused,
    };
    Failure::new(code, with_causes(error))
}
