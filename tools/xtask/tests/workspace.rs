//! The checks over this very workspace, so that `cargo test` fails where `xtask check` does.

use xtask::check;
use xtask::workspace::Workspace;

#[test]
fn the_workspace_keeps_its_rules() {
    let workspace = Workspace::load().expect("the workspace can be read");
    let violations: Vec<String> = check::all(&workspace).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}
