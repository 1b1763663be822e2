//! A folder's `mod.rs` is its table of contents: docs, `mod` and `pub use`.
//!
//! Tests apart: cargo takes `tests/common/mod.rs` for what integration tests share.

use syn::spanned::Spanned;
use syn::{Item, Visibility};

use crate::source::{Source, TestFiles};
use crate::violation::Violation;

/// Reports every other item in a `mod.rs`.
#[must_use]
pub fn check(sources: &[Source]) -> Vec<Violation> {
    let tests = TestFiles::of(sources);
    let is_contents = |path: &str| path.rsplit('/').next() == Some("mod.rs") && !tests.contains(path);
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| is_contents(&source.path)) {
        for item in source.syntax.items.iter().filter(|item| !belongs(item)) {
            let line = item.span().start().line;
            let message =
                "a mod.rs holds docs, `mod name;` and `pub use` only: move this into a file of its own";
            violations.push(Violation::at_line(&source.path, line, message));
        }
    }
    violations
}

fn belongs(item: &Item) -> bool {
    match item {
        Item::Mod(module) => module.content.is_none(),
        Item::Use(reexport) => !matches!(reexport.vis, Visibility::Inherited),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str) -> Vec<Violation> {
        check(&[Source::parse(path, text).expect("sample is Rust")])
    }

    #[test]
    fn docs_modules_and_exports_pass() {
        let text = "//! Docs.\n#![warn(missing_docs)]\nmod a;\n/// B.\npub mod b;\n#[cfg(test)]\nmod tests;\n\
                    pub use a::A;\npub(crate) use b::{B, C};\n";
        assert!(check_text("x/src/y/mod.rs", text).is_empty());
    }

    #[test]
    fn code_is_reported_with_its_line() {
        for item in
            ["fn a() {}", "struct A;", "mod a {}", "use b::C;", "const D: u8 = 1;", "m!();", "impl E {}"]
        {
            let found = check_text("x/src/y/mod.rs", &format!("//! Docs.\nmod z;\n{item}\n"));
            assert_eq!(found.len(), 1, "{item}");
            assert_eq!(found[0].place, "x/src/y/mod.rs:3");
        }
    }

    #[test]
    fn other_files_are_free() {
        assert!(check_text("x/src/lib.rs", "fn a() {}").is_empty());
        assert!(check_text("x/src/not_mod.rs", "fn a() {}").is_empty());
        assert!(check_text("x/tests/common/mod.rs", "fn a() {}").is_empty());
    }
}
