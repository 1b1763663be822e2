//! Which tree was measured.

use std::process::Command;

/// The commit that the sources are at, with `+` if they differ from it; `None` outside of git.
pub(crate) fn revision() -> Option<String> {
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // The history itself changes with every run.
    let changed = git(&["status", "--porcelain", "--", ":/", ":(exclude,top)perf/latency/history.jsonl"])?;
    Some(if changed.is_empty() { commit } else { format!("{commit}+") })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
