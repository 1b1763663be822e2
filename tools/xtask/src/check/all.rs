//! All checks in one call.

use crate::check::{contents, dependencies, sizes, unsafe_code, words};
use crate::violation::Violation;
use crate::workspace::Workspace;

/// Every violation in `workspace`, check by check; empty if all is well.
#[must_use]
pub fn all(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = workspace.unparsed.clone();
    violations.extend(dependencies::check(&workspace.packages));
    violations.extend(dependencies::check_sources(&workspace.packages, &workspace.sources));
    violations.extend(sizes::check(&workspace.sources));
    violations.extend(contents::check(&workspace.sources));
    violations.extend(unsafe_code::check(&workspace.packages, &workspace.sources));
    violations.extend(words::check(&workspace.texts));
    violations
}
