//! Folder operations, on the executor's helper thread: they block, and are rare.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::io::{DiskError, DiskOperation};

use crate::errno::disk_error;
use crate::operation::Operations;

/// Runs `work` on the helper thread and names `operation` and `path` in its error.
fn blocking<T: Send + 'static>(
    operations: &Rc<Operations>,
    operation: DiskOperation,
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> impl Future<Output = Result<T, DiskError>> + 'static {
    let path = path.to_path_buf();
    operations.run(async move {
        let for_work = path.clone();
        let outcome = glommio::executor().spawn_blocking(move || work(&for_work)).await;
        outcome.map_err(|source| disk_error(operation, &path, &source))
    })
}

pub(crate) fn create(
    operations: &Rc<Operations>,
    path: &Path,
) -> impl Future<Output = Result<(), DiskError>> + 'static {
    blocking(operations, DiskOperation::Open, path, |path| std::fs::create_dir_all(path))
}

pub(crate) fn list(
    operations: &Rc<Operations>,
    path: &Path,
) -> impl Future<Output = Result<Vec<String>, DiskError>> + 'static {
    blocking(operations, DiskOperation::List, path, file_names)
}

fn file_names(path: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            continue;
        }
        // A name that is not UTF-8 is not one of ours.
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

pub(crate) fn sync(
    operations: &Rc<Operations>,
    path: &Path,
) -> impl Future<Output = Result<(), DiskError>> + 'static {
    blocking(operations, DiskOperation::Flush, path, |path: &Path| std::fs::File::open(path)?.sync_all())
}

pub(crate) fn remove(
    operations: &Rc<Operations>,
    path: &Path,
) -> impl Future<Output = Result<(), DiskError>> + 'static {
    blocking(operations, DiskOperation::Remove, path, |path: &Path| {
        std::fs::remove_file::<PathBuf>(path.into())
    })
}
