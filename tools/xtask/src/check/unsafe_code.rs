//! `unsafe` stands in two packages; all others forbid it in their root files.

use proc_macro2::Ident;
use syn::punctuated::Punctuated;
use syn::{Meta, Token};

use crate::source::Source;
use crate::violation::Violation;
use crate::workspace::{Package, package_of};

/// Packages that may contain `unsafe`, by folder.
const ALLOWED: [&str; 2] = ["engine/archive", "engine/glommio"];

/// Reports each `unsafe` outside the allowed packages, and each root file without the attribute.
#[must_use]
pub fn check(packages: &[Package], sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        let package = package_of(packages, &source.path);
        if package.is_some_and(|package| ALLOWED.contains(&package.folder.as_str())) {
            continue;
        }
        for keyword in source.identifiers().iter().filter(|word| *word == "unsafe") {
            let message = format!("`unsafe` is allowed in {} only", ALLOWED.join(" and "));
            violations.push(Violation::at_line(&source.path, line_of(keyword), message));
        }
        let is_root = package.is_some_and(|package| package.roots.contains(&source.path));
        if is_root && !forbids_unsafe(&source.syntax) {
            violations.push(Violation::new(&source.path, "lacks `#![forbid(unsafe_code)]`"));
        }
    }
    violations
}

fn line_of(word: &Ident) -> usize {
    word.span().start().line
}

fn forbids_unsafe(file: &syn::File) -> bool {
    file.attrs.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        let lints = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        list.path.is_ident("forbid")
            && lints.is_ok_and(|lints| lints.iter().any(|lint| lint.path().is_ident("unsafe_code")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str) -> Vec<Violation> {
        let package = |folder: &str| Package {
            name: folder.to_owned(),
            folder: folder.to_owned(),
            dependencies: Vec::new(),
            roots: vec![format!("{folder}/src/lib.rs")],
        };
        check(
            &[package("engine/archive"), package("engine/core")],
            &[Source::parse(path, text).expect("sample is Rust")],
        )
    }

    #[test]
    fn unsafe_is_found_outside_the_two_packages_also_in_macros() {
        for text in ["fn a() {\n    unsafe { b() }\n}", "unsafe fn a() {}", "m! {\n unsafe { b() } }"] {
            assert_eq!(check_text("engine/core/src/a.rs", text).len(), 1, "{text}");
            assert_eq!(check_text("engine/core/tests/a.rs", text).len(), 1, "{text}");
            assert!(check_text("engine/archive/src/a.rs", text).is_empty(), "{text}");
        }
        assert_eq!(
            check_text("engine/core/src/a.rs", "fn a() {\n  unsafe {}\n}")[0].place,
            "engine/core/src/a.rs:2"
        );
    }

    #[test]
    fn the_word_in_comments_and_strings_passes() {
        let text = "//! No unsafe.\nconst A: &str = \"unsafe\"; // unsafe\n";
        assert!(check_text("engine/core/src/a.rs", text).is_empty());
    }

    #[test]
    fn root_files_forbid_unsafe() {
        let root = "engine/core/src/lib.rs";
        assert!(check_text(root, "//! Docs.\n#![forbid(unsafe_code)]\n").is_empty());
        assert!(check_text(root, "#![forbid(missing_docs, unsafe_code)]\n").is_empty());
        assert_eq!(check_text(root, "//! Docs.\n").len(), 1);
        assert_eq!(check_text(root, "#![deny(unsafe_code)]\n").len(), 1);
        assert_eq!(check_text(root, "// #![forbid(unsafe_code)]\n").len(), 1);
        assert!(check_text("engine/archive/src/lib.rs", "//! Docs.\n").is_empty());
        assert!(check_text("engine/core/src/a.rs", "fn a() {}\n").is_empty());
    }
}
