//! One sabotage, as its file describes it.
//!
//! A file is what it takes out, in words; lines `workload: NAME`, `seeds: N` (so many seeds from 0 on find it)
//! and, where the usual number does not do, `operations: N`; and a unified diff.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Operations of each seed, unless the patch says otherwise.
const OPERATIONS_DEFAULT: u64 = 2_000;

/// Seeds that a patch may need.
const SEEDS_MAX: u64 = 200;

/// One sabotage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Patch {
    /// Its file's name without the extension.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// What it takes out.
    pub(super) what: String,
    /// The workload of the simulator that catches it.
    pub(super) workload: String,
    /// It is caught by one of the seeds below this.
    pub(super) seeds: u64,
    /// Operations of each seed.
    pub(super) operations: u64,
}

impl Patch {
    fn parse(path: &Path, text: &str) -> Result<Self> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).context("a name that is not text")?;
        let (header, _diff) = text.split_once("\ndiff --git ").context("there is no diff in it")?;
        let (mut what, mut workload, mut seeds) = (Vec::new(), None, None);
        let mut operations = OPERATIONS_DEFAULT;
        for line in header.lines() {
            match line.split_once(": ") {
                Some(("workload", value)) => workload = Some(value.trim().to_owned()),
                Some(("seeds", value)) => seeds = Some(value.trim().parse().context("seeds: no number")?),
                Some(("operations", value)) => {
                    operations = value.trim().parse().context("operations: no number")?;
                }
                _ if !line.trim().is_empty() => what.push(line.trim()),
                _ => {}
            }
        }
        ensure!(!what.is_empty(), "it does not say what it takes out");
        let workload = workload.context("it does not say which workload catches it")?;
        let seeds = seeds.context("it does not say within how many seeds it is caught")?;
        ensure!((1..=SEEDS_MAX).contains(&seeds), "{seeds} seeds: 1 to {SEEDS_MAX} are allowed");
        let (name, path, what) = (name.to_owned(), path.to_owned(), what.join(" "));
        Ok(Self { name, path, what, workload, seeds, operations })
    }
}

/// The patches in `folder`, by name.
pub(super) fn load(folder: &Path) -> Result<Vec<Patch>> {
    let mut patches = Vec::new();
    for file in fs::read_dir(folder).with_context(|| format!("{folder:?} cannot be read"))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            let text = fs::read_to_string(&path)?;
            patches.push(Patch::parse(&path, &text).with_context(|| format!("{path:?}"))?);
        }
    }
    ensure!(!patches.is_empty(), "no patch in {folder:?}");
    patches.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(patches)
}

/// Those of `patches` that are `named`; all if none is.
pub(super) fn select(patches: Vec<Patch>, named: &[String]) -> Result<Vec<Patch>> {
    for name in named {
        if !patches.iter().any(|patch| patch.name == *name) {
            let names: Vec<_> = patches.iter().map(|patch| patch.name.as_str()).collect();
            bail!("no sabotage is called {name}; there are: {}", names.join(", "));
        }
    }
    Ok(patches.into_iter().filter(|patch| named.is_empty() || named.contains(&patch.name)).collect())
}

/// `count` different ones out of `patches`, far from each other; another commit has others.
pub(super) fn choose(patches: &[Patch], commit: &str, count: usize) -> Result<Vec<Patch>> {
    let digits = commit.get(..15).context("a commit has a longer name")?;
    let hash = u64::from_str_radix(digits, 16).context("a commit's name is a number")?;
    let (size, count) = (patches.len(), count.min(patches.len()));
    let first = (hash % size as u64) as usize;
    Ok((0..count).map(|number| patches[(first + number * size / count) % size].clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Takes it\nout.\n\nworkload: log\nseeds: 12\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n";

    fn parse(text: &str) -> Result<Patch> {
        Patch::parse(Path::new("folder/one-thing.patch"), text)
    }

    #[test]
    fn the_words_before_the_diff_say_what_and_where() {
        let patch = parse(TEXT).unwrap();
        assert_eq!((patch.name.as_str(), patch.what.as_str()), ("one-thing", "Takes it out."));
        assert_eq!((patch.workload.as_str(), patch.seeds, patch.operations), ("log", 12, OPERATIONS_DEFAULT));
        let patch = parse(&TEXT.replace("seeds: 12", "seeds: 3\noperations: 50")).unwrap();
        assert_eq!((patch.seeds, patch.operations), (3, 50));
    }

    #[test]
    fn a_patch_that_leaves_something_open_is_refused() {
        for missing in ["Takes it\nout.\n", "workload: log\n", "seeds: 12\n", "diff --git a/x b/x\n"] {
            assert!(parse(&TEXT.replace(missing, "")).is_err(), "{missing:?}");
        }
        assert!(parse(&TEXT.replace("12", "0")).is_err());
        assert!(parse(&TEXT.replace("12", "100000")).is_err());
    }

    #[test]
    fn every_patch_has_its_turn_and_no_commit_runs_one_twice() {
        let named = |number| Patch { name: format!("{number}"), ..parse(TEXT).unwrap() };
        for size in 1..30usize {
            let patches: Vec<Patch> = (0..size).map(named).collect();
            let mut chosen = std::collections::BTreeSet::new();
            for commit in 0..size {
                let three = choose(&patches, &format!("{commit:015x}ffff"), 3).unwrap();
                let names: std::collections::BTreeSet<_> = three.iter().map(|patch| &patch.name).collect();
                assert_eq!(names.len(), size.min(3));
                chosen.extend(three.into_iter().map(|patch| patch.name));
            }
            assert_eq!(chosen.len(), size);
        }
    }
}
