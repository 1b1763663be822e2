//! Files stay under 800 lines and functions under 70, tests apart.
//!
//! A function is measured from its `fn` line to its closing brace, without docs and attributes. The
//! functions that a macro writes are not measured.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, Item, ItemFn, Signature, TraitItemFn};

use crate::source::{Source, TestFiles, attributes_of, is_test_only};
use crate::violation::Violation;

/// Unit: lines. A file has fewer.
pub const FILE_LINES_LIMIT: usize = 800;

/// Unit: lines. A function has fewer.
pub const FUNCTION_LINES_LIMIT: usize = 70;

/// Reports every file and function at or over its limit.
#[must_use]
pub fn check(sources: &[Source]) -> Vec<Violation> {
    let tests = TestFiles::of(sources);
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| !tests.contains(&source.path)) {
        let test_lines: usize = source.test_lines().into_iter().map(Iterator::count).sum();
        let lines = source.line_count - test_lines;
        if lines >= FILE_LINES_LIMIT {
            let message = format!("{lines} lines: a file stays under {FILE_LINES_LIMIT}");
            violations.push(Violation::new(&source.path, message));
        }
        let mut functions = Functions { path: &source.path, violations: &mut violations };
        functions.visit_file(&source.syntax);
    }
    violations
}

struct Functions<'a> {
    path: &'a str,
    violations: &'a mut Vec<Violation>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &Signature, body: &Block) {
        let first = start_line(signature.span());
        let lines = body.span().end().line - first + 1;
        if lines >= FUNCTION_LINES_LIMIT {
            let name = &signature.ident;
            let message =
                format!("`{name}` has {lines} lines: a function stays under {FUNCTION_LINES_LIMIT}");
            self.violations.push(Violation::at_line(self.path, first, message));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_test_only(&function.attrs) {
            self.measure(&function.sig, &function.block);
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

fn start_line(span: Span) -> usize {
    span.start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str) -> Vec<Violation> {
        check(&[Source::parse(path, text).expect("sample is Rust")])
    }

    /// A function of `lines` lines whose body would mislead a count of braces.
    fn function(lines: usize) -> String {
        let hard =
            "    let _ = ('{', \"}\", r#\"}\" }\"#, b'}', 'a: loop { break 'a }); /* } /* } */ */ // {\n";
        format!("/// Docs.\n#[inline]\nfn long() {{\n{}}}\n", hard.repeat(lines - 2))
    }

    #[test]
    fn a_function_of_seventy_lines_is_too_long_and_one_of_sixty_nine_is_not() {
        assert!(check_text("a/src/x.rs", &function(69)).is_empty());
        let found = check_text("a/src/x.rs", &function(70));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "a/src/x.rs:3");
        assert!(found[0].message.contains("`long` has 70 lines"), "{}", found[0]);
    }

    #[test]
    fn methods_default_methods_and_nested_functions_are_measured() {
        let long = function(70);
        for text in [
            format!("impl A {{\n{long}}}"),
            format!("trait A {{\n{long}}}"),
            format!("mod inner {{\n{long}}}"),
            format!("fn outer() {{ const {{ {long} }} }}"),
        ] {
            let found = check_text("a/src/x.rs", &text);
            assert!(found.iter().any(|violation| violation.message.contains("`long`")), "{text}");
        }
    }

    #[test]
    fn tests_may_be_long() {
        let long = function(90);
        assert!(check_text("a/tests/x.rs", &long).is_empty());
        assert!(check_text("a/benches/x.rs", &long).is_empty());
        assert!(check_text("a/src/x.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}")).is_empty());
        assert_eq!(check_text("a/src/x.rs", &format!("#[cfg(unix)]\nmod real {{\n{long}}}")).len(), 1);
    }

    #[test]
    fn a_file_of_eight_hundred_lines_is_too_long_and_its_tests_do_not_count() {
        let lines = |count: usize| "const _: () = ();\n".repeat(count);
        assert!(check_text("a/src/x.rs", &lines(799)).is_empty());
        assert_eq!(check_text("a/src/x.rs", &lines(800)).len(), 1);
        assert!(check_text("a/tests/x.rs", &lines(800)).is_empty());
        let with_tests = |count| format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(count), lines(500));
        assert!(check_text("a/src/x.rs", &with_tests(799)).is_empty());
        assert_eq!(check_text("a/src/x.rs", &with_tests(800)).len(), 1);
    }
}
