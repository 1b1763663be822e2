//! A copy of the committed tree that patches are tried on, and its builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::patch::Patch;

/// Optimised enough for many seeds, with every assertion, and quick to build again after a change of one line.
const PROFILE: [&str; 4] = [
    "profile.sabotage.inherits=\"dev\"",
    "profile.sabotage.opt-level=1",
    "profile.sabotage.debug=0",
    "profile.sabotage.incremental=true",
];

/// The program that runs seeds.
const SIMULATOR: &str = "thalweg-sim";

/// What of the tree a patch may break the build of.
const CHECKED: [&str; 2] = ["thalweg-engine", SIMULATOR];

/// A copy of the committed tree. It and its build folder stay from one run to the next, so that only what has
/// changed is built again.
pub(super) struct Scratch {
    git_folder: PathBuf,
    /// Named once: the checkout may move on meanwhile.
    pub(super) commit: String,
    index: PathBuf,
    tree: PathBuf,
    build: PathBuf,
}

impl Scratch {
    /// Makes the copy in `folder` that of the commit that is checked out in `root`.
    pub(super) fn of(root: &Path, folder: &Path) -> Result<Self> {
        let git_folder = output(
            Command::new("git").args(["rev-parse", "--absolute-git-dir"]).current_dir(root),
            "sabotage is tried on a commit, and this is not a checkout of git",
        )?;
        let commit =
            output(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root), "there is no commit")?;
        let scratch = Self {
            git_folder: PathBuf::from(git_folder.trim_end()),
            commit: commit.trim_end().to_owned(),
            index: folder.join("index"),
            tree: folder.join("tree"),
            build: folder.join("build"),
        };
        fs::create_dir_all(&scratch.tree)?;
        scratch.restore()?;
        Ok(scratch)
    }

    /// Takes every change back. Writes only files that differ: the others keep their times, and their builds.
    pub(super) fn restore(&self) -> Result<()> {
        self.git(&["read-tree", "--reset", "-u", &self.commit]).map(drop)
    }

    /// Applies a patch.
    pub(super) fn apply(&self, patch: &Patch) -> Result<()> {
        let path = patch.path.to_str().context("a path that is not text")?;
        self.git(&["apply", path]).context("the patch does not apply").map(drop)
    }

    /// Whether the tree compiles.
    pub(super) fn check(&self) -> Result<()> {
        let packages = CHECKED.iter().flat_map(|package| ["-p", *package]);
        self.cargo("check", &packages.collect::<Vec<_>>()).context("the tree does not compile")
    }

    /// Builds the simulator; returns the program.
    pub(super) fn build(&self) -> Result<PathBuf> {
        if self.cargo("build", &["-p", SIMULATOR]).is_err() {
            // A run that was interrupted leaves builds of a tree that has changed under them.
            let removed = fs::remove_dir_all(self.build.join("sabotage"));
            let again = self.cargo("build", &["-p", SIMULATOR]).context("the simulator cannot be built");
            again.and(removed.context("its builds cannot be removed"))?;
        }
        let program = self.build.join("sabotage").join(SIMULATOR);
        ensure!(program.is_file(), "the build made no {program:?}");
        Ok(program)
    }

    fn cargo(&self, command: &str, arguments: &[&str]) -> Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let settings = PROFILE.iter().flat_map(|setting| ["--config", *setting]);
        let mut call = Command::new(cargo);
        call.arg(command).args(["--quiet", "--locked", "--profile", "sabotage"]).args(settings);
        call.args(arguments).current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.build);
        // What a sabotage leaves unused is no fault of it.
        call.env("RUSTFLAGS", "--cap-lints=warn").env_remove("CARGO_INCREMENTAL");
        output(&mut call, "cargo failed").map(drop)
    }

    fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut call = Command::new("git");
        call.args(arguments).current_dir(&self.tree);
        // The checkout's own index and files are left alone.
        call.env("GIT_DIR", &self.git_folder).env("GIT_WORK_TREE", &self.tree);
        call.env("GIT_INDEX_FILE", &self.index);
        output(&mut call, "git failed")
    }
}

/// What a command prints.
fn output(command: &mut Command, failed: &'static str) -> Result<String> {
    let output = command.output().with_context(|| format!("{:?} cannot be run", command.get_program()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{failed}: {}", errors.trim_end());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
