//! The folder itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::interrupt;

/// Names of scratch folders begin with this; the number of their process follows.
const PREFIX: &str = "thalweg-perf-";

/// Attempts to remove a folder.
const REMOVALS_MAX: usize = 5;

/// A folder that is removed when it is dropped, when the process panics, and on an interrupt. What a killed
/// run left is removed by the next one in the same place.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes a folder in `place`, which must exist.
    ///
    /// # Errors
    /// If nothing can be made there, or interrupts cannot be caught.
    pub(crate) fn make(place: &Path) -> Result<Self> {
        sweep(place);
        let path = place.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("{path:?} could not be made"))?;
        let scratch = Self(path);
        let removed = scratch.0.clone();
        interrupt::on_abnormal_end(move || remove(&removed))?;
        Ok(scratch)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A name in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(path: &Path) {
    let mut last = None;
    // On an abnormal end, executors may still be making files while the folder is emptied.
    for _ in 0..REMOVALS_MAX {
        match fs::remove_dir_all(path) {
            Ok(()) => return,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => last = Some(error),
        }
    }
    if let Some(error) = last {
        eprintln!("{path:?} could not be removed: {error}");
    }
}

/// Removes the folders of processes that have ended. Failing to is no reason not to measure.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_dead_processes_go_and_nothing_else() {
        let place = std::env::temp_dir().join(format!("sweep-{}", std::process::id()));
        // No process has this number: it is beyond the kernel's largest.
        let dead = place.join(format!("{PREFIX}{}", u32::MAX));
        let alive = place.join(format!("{PREFIX}{}", std::process::id()));
        let foreign = place.join(format!("{PREFIX}notes"));
        for folder in [&dead, &alive, &foreign] {
            fs::create_dir_all(folder).unwrap();
        }
        sweep(&place);
        let left = [&dead, &alive, &foreign].map(|folder| folder.exists());
        fs::remove_dir_all(&place).unwrap();
        assert_eq!(left, [false, true, true]);
    }
}
