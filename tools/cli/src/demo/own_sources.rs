//! A text that is certainly there after a build: the sources of the packages in the lock file.

use std::fs;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = include_str!("../../../../Cargo.lock");

/// Folders that are entered below a package.
const DEPTH_MAX: usize = 12;

/// The Rust sources of every locked package that is unpacked on this machine, sorted by package, and the
/// folder in which they were looked for.
pub(super) fn find() -> (Vec<PathBuf>, PathBuf) {
    let registry = cargo_home().join("registry").join("src");
    let mut files = Vec::new();
    let sources = fs::read_dir(&registry).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sources: Vec<PathBuf> = sources.collect();
    sources.sort();
    // One package may lie in several registries' folders: the first one that has it serves.
    for package in locked_packages(LOCK_FILE) {
        if let Some(folder) = sources.iter().map(|source| source.join(&package)).find(|path| path.is_dir()) {
            add_rust_files(&folder, DEPTH_MAX, &mut files);
        }
    }
    (files, registry)
}

fn cargo_home() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home).unwrap_or_else(|| PathBuf::from(".cargo"))
}

/// `name-version` of every package in a lock file that came from a registry.
fn locked_packages(lock_file: &str) -> Vec<String> {
    lock_file
        .split("[[package]]")
        .filter(|package| package.contains("\nsource = "))
        .filter_map(|package| Some(format!("{}-{}", field(package, "name")?, field(package, "version")?)))
        .collect()
}

fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

fn add_rust_files(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<fs::DirEntry> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Links are not followed: they may lead in circles, or out of the package.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => add_rust_files(&path, depth - 1, files),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|end| end == "rs") => files.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_the_lock_file_are_named_as_their_folders() {
        let lock = "version = 4\n\n[[package]]\nname = \"a-b\"\nversion = \"1.2.3\"\nsource = \"registry\"\n\n\
                    [[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";
        assert_eq!(locked_packages(lock), ["a-b-1.2.3"]);
    }

    #[test]
    fn the_sources_of_this_build_are_found() {
        let (files, folder) = find();
        assert!(!files.is_empty(), "nothing in {folder:?}");
        assert!(files.iter().any(|file| file.to_string_lossy().contains("/rkyv-")), "{folder:?}");
    }
}
