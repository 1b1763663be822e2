//! What the checks look at: packages as cargo sees them, Rust files, and texts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::source::Source;
use crate::violation::Violation;

/// Folders that hold no source, wherever they stand.
const SKIPPED_FOLDERS: [&str; 3] = [".git", ".cache", "target"];

/// Texts apart from Rust that are looked at, by extension. Data folders and captures may lie in the tree.
const TEXT_EXTENSIONS: [&str; 6] = ["md", "patch", "sh", "toml", "yaml", "yml"];

/// Folders of scripts without an extension.
const SCRIPT_FOLDERS: [&str; 2] = ["scripts", ".ci"];

/// Unit: bytes. What is longer was not written by hand.
const TEXT_SIZE_MAX: u64 = 1 << 20;

/// A package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// As in its manifest.
    pub name: String,
    /// Relative to the workspace.
    pub folder: String,
    /// Names of its normal dependencies, as published: renaming does not hide one.
    pub dependencies: Vec<String>,
    /// Root files of its libraries and binaries, relative to the workspace.
    pub roots: Vec<String>,
}

/// A file that is looked at as text.
#[derive(Debug)]
pub struct Text {
    /// Relative to the workspace.
    pub path: String,
    /// Its content.
    pub content: String,
}

/// Everything that is checked.
pub struct Workspace {
    /// The members.
    pub packages: Vec<Package>,
    /// Every Rust file that parses.
    pub sources: Vec<Source>,
    /// Rust files that do not.
    pub unparsed: Vec<Violation>,
    /// Rust files, manifests, documents and scripts as texts.
    pub texts: Vec<Text>,
}

/// Where the workspace lies that this program was built from, and its builds.
#[derive(Clone, Debug)]
pub struct Places {
    /// Its folder.
    pub root: PathBuf,
    /// Its folder of builds.
    pub target: PathBuf,
}

impl Places {
    /// Finds them.
    ///
    /// # Errors
    /// If cargo cannot be run.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let target = text_of(&cargo_metadata(&root)?["target_directory"])?.into();
        Ok(Self { root, target })
    }
}

impl Workspace {
    /// Reads the workspace that this program was built from.
    ///
    /// # Errors
    /// If cargo cannot be run, or a file cannot be read.
    pub fn load() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let packages = packages_of(&cargo_metadata(&root)?, &root)?;
        let texts = read_texts(&root)?;
        let (mut sources, mut unparsed) = (Vec::new(), Vec::new());
        for text in texts.iter().filter(|text| text.path.ends_with(".rs")) {
            match Source::parse(&text.path, &text.content) {
                Ok(source) => sources.push(source),
                Err(violation) => unparsed.push(violation),
            }
        }
        ensure!(!packages.is_empty(), "cargo names no package in {}", root.display());
        ensure!(!sources.is_empty(), "no Rust file in {}", root.display());
        Ok(Self { packages, sources, unparsed, texts })
    }
}

/// The package whose folder holds `path`: the innermost one.
#[must_use]
pub fn package_of<'a>(packages: &'a [Package], path: &str) -> Option<&'a Package> {
    packages
        .iter()
        .filter(|package| path.strip_prefix(&package.folder).is_some_and(|rest| rest.starts_with('/')))
        .max_by_key(|package| package.folder.len())
}

fn cargo_metadata(root: &Path) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cargo metadata cannot be run")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn packages_of(metadata: &Value, root: &Path) -> Result<Vec<Package>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    packages.iter().map(|package| package_from(package, root)).collect()
}

fn package_from(package: &Value, root: &Path) -> Result<Package> {
    let name = text_of(&package["name"])?;
    let manifest = relative(root, Path::new(&text_of(&package["manifest_path"])?))?;
    let folder = manifest.strip_suffix("/Cargo.toml").unwrap_or_default().to_owned();
    let mut dependencies = Vec::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        // A normal dependency is the one without a kind.
        if dependency["kind"].is_null() {
            dependencies.push(text_of(&dependency["name"])?);
        }
    }
    let mut roots = Vec::new();
    for target in package["targets"].as_array().into_iter().flatten() {
        let kinds = target["kind"].as_array().context("a target without a kind")?;
        if kinds.iter().any(|kind| matches!(kind.as_str(), Some("lib" | "bin" | "proc-macro"))) {
            roots.push(relative(root, Path::new(&text_of(&target["src_path"])?))?);
        }
    }
    Ok(Package { name, folder, dependencies, roots })
}

fn text_of(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("not a string in cargo metadata: {value}"))?.to_owned())
}

fn relative(root: &Path, path: &Path) -> Result<String> {
    let path = path.strip_prefix(root).with_context(|| format!("{} is outside", path.display()))?;
    Ok(path.to_str().context("a path that is not UTF-8")?.to_owned())
}

/// All texts below `root`, ordered by path.
fn read_texts(root: &Path) -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, entry.path());
            if kind.is_dir() && !SKIPPED_FOLDERS.iter().any(|skipped| entry.file_name() == *skipped) {
                folders.push(path);
            } else if kind.is_file() && entry.metadata()?.len() <= TEXT_SIZE_MAX {
                let name = relative(root, &path)?;
                if is_text(&name) {
                    let content = fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
                    texts.push(Text { path: name, content });
                }
            }
        }
    }
    texts.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(texts)
}

fn is_text(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    match extension {
        Some(extension) => extension == "rs" || TEXT_EXTENSIONS.contains(&extension),
        None => SCRIPT_FOLDERS.iter().any(|folder| path.starts_with(&format!("{folder}/"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_normal_dependencies_are_taken_and_by_their_published_name() {
        let metadata = serde_json::json!({ "packages": [{
            "name": "thalweg-x",
            "manifest_path": "/w/engine/x/Cargo.toml",
            "dependencies": [
                { "name": "glommio", "rename": "harmless", "kind": null },
                { "name": "thalweg-sim", "kind": "dev" },
                { "name": "cc", "kind": "build" },
            ],
            "targets": [
                { "kind": ["lib"], "src_path": "/w/engine/x/src/lib.rs" },
                { "kind": ["test"], "src_path": "/w/engine/x/tests/t.rs" },
            ],
        }] });
        let packages = packages_of(&metadata, Path::new("/w")).expect("metadata");
        assert_eq!(packages[0].dependencies, ["glommio"]);
        assert_eq!(packages[0].roots, ["engine/x/src/lib.rs"]);
        assert_eq!(packages[0].folder, "engine/x");
        assert!(package_of(&packages, "engine/x/src/a.rs").is_some());
        assert!(package_of(&packages, "engine/xy/src/a.rs").is_none());
    }

    #[test]
    fn scripts_and_documents_are_texts_and_data_is_not() {
        for text in ["README.md", "scripts/test", ".ci/run", "a/src/lib.rs", "deny.toml"] {
            assert!(is_text(text), "{text}");
        }
        for data in ["LICENSE", "data/segment-1", "perf/history.json", "a.bin"] {
            assert!(!is_text(data), "{data}");
        }
    }
}
