//! Names: which path is which file now, and which after a power loss.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::submit::NodeId;

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) files: BTreeMap<PathBuf, NodeId>,
    pub(super) folders: BTreeSet<PathBuf>,
}

impl Names {
    pub(super) fn is_folder(&self, path: &Path) -> bool {
        path == Path::new("/") || path == Path::new("") || self.folders.contains(path)
    }

    pub(super) fn has_parent(&self, path: &Path) -> bool {
        path.parent().is_some_and(|parent| self.is_folder(parent))
    }

    /// Files directly in `folder`.
    pub(super) fn files_in(&self, folder: &Path) -> BTreeMap<PathBuf, NodeId> {
        self.files
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder))
            .map(|(path, &node)| (path.clone(), node))
            .collect()
    }

    /// Folders directly in `folder`.
    pub(super) fn folders_in(&self, folder: &Path) -> Vec<PathBuf> {
        self.folders.iter().filter(|path| path.parent() == Some(folder)).cloned().collect()
    }

    /// Removes what lies in folders that do not exist.
    pub(super) fn drop_orphans(&mut self) {
        // Parents sort before their children, so one pass sees every parent decided.
        let mut kept = Self::default();
        for folder in std::mem::take(&mut self.folders) {
            if kept.has_parent(&folder) {
                kept.folders.insert(folder);
            }
        }
        self.files.retain(|path, _| kept.has_parent(path));
        self.folders = kept.folders;
    }
}
