//! One Rust file, parsed, and which of its lines are tests.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, Meta, Token};

use crate::violation::Violation;

/// Folders whose files are tests or benches as a whole.
const TEST_FOLDERS: [&str; 2] = ["tests", "benches"];

/// A parsed Rust file.
pub struct Source {
    /// Relative to the workspace, with `/` between folders.
    pub path: String,
    /// Number of lines.
    pub line_count: usize,
    /// The syntax tree.
    pub syntax: syn::File,
    /// All tokens, including those inside macros, which the tree keeps unparsed.
    pub tokens: TokenStream,
}

impl Source {
    /// Parses `text`, the content of `path`.
    ///
    /// # Errors
    /// A violation that names the line, if it is not Rust.
    pub fn parse(path: &str, text: &str) -> Result<Self, Violation> {
        let not_rust = |line, error: &dyn std::fmt::Display| {
            Violation::at_line(path, line, format!("cannot be parsed as Rust: {error}"))
        };
        let syntax = syn::parse_file(text).map_err(|error| not_rust(error.span().start().line, &error))?;
        let tokens = text.parse().map_err(|error: proc_macro2::LexError| {
            let line = error.span().start().line;
            not_rust(line, &error)
        })?;
        Ok(Self { path: path.to_owned(), line_count: text.lines().count(), syntax, tokens })
    }

    /// Every identifier and keyword in the file, also inside macros; not those in comments or strings.
    #[must_use]
    pub fn identifiers(&self) -> Vec<Ident> {
        let mut found = Vec::new();
        collect_identifiers(self.tokens.clone(), &mut found);
        found
    }

    /// The lines of inline `#[cfg(test)]` modules; outermost ones only.
    #[must_use]
    pub fn test_lines(&self) -> Vec<RangeInclusive<usize>> {
        let mut modules = TestModules::default();
        modules.visit_file(&self.syntax);
        modules.inline
    }

    /// The files, without `.rs`, that this file declares as `#[cfg(test)] mod name;`.
    fn test_module_paths(&self) -> Vec<String> {
        let mut modules = TestModules::default();
        modules.visit_file(&self.syntax);
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let children = match file {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
        };
        modules
            .out_of_line
            .into_iter()
            .map(|module| match module.path {
                // `#[path]` is relative to the folder of the file that declares the module.
                Some(path) => format!("{folder}/{}", path.trim_end_matches(".rs")),
                None => format!("{children}/{}", module.name),
            })
            .collect()
    }
}

/// Which files are tests as a whole.
pub struct TestFiles {
    modules: BTreeSet<String>,
}

impl TestFiles {
    /// Looks through all `sources` for modules that exist in tests only.
    #[must_use]
    pub fn of(sources: &[Source]) -> Self {
        Self { modules: sources.iter().flat_map(Source::test_module_paths).collect() }
    }

    /// Whether the file at `path` is a test or a bench, or belongs to a module of tests.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        let in_test_folder = path.split('/').any(|part| TEST_FOLDERS.contains(&part));
        let in_test_module = self.modules.iter().any(|module| {
            path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
        in_test_folder || in_test_module
    }
}

/// Whether `attributes` say `#[cfg(test)]` or `#[cfg(all(test, …))]`.
#[must_use]
pub fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => requires_test(list.tokens.clone()),
        _ => false,
    })
}

/// The attributes of any item that may carry `#[cfg]`; none for what the parser keeps verbatim.
#[must_use]
pub fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn requires_test(condition: TokenStream) -> bool {
    let Ok(conditions) = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(condition) else {
        return false;
    };
    conditions.iter().any(|condition| match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => list.path.is_ident("all") && requires_test(list.tokens.clone()),
        Meta::NameValue(_) => false,
    })
}

fn collect_identifiers(tokens: TokenStream, found: &mut Vec<Ident>) {
    for token in tokens {
        match token {
            TokenTree::Ident(identifier) => found.push(identifier),
            TokenTree::Group(group) => collect_identifiers(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

struct OutOfLine {
    name: String,
    path: Option<String>,
}

#[derive(Default)]
struct TestModules {
    inline: Vec<RangeInclusive<usize>>,
    out_of_line: Vec<OutOfLine>,
}

impl<'ast> Visit<'ast> for TestModules {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test_only(&module.attrs) {
            return visit::visit_item_mod(self, module);
        }
        if module.content.is_some() {
            let span = module.span();
            self.inline.push(span.start().line..=span.end().line);
        } else {
            let path = module.attrs.iter().find_map(path_attribute);
            self.out_of_line.push(OutOfLine { name: module.ident.to_string(), path });
        }
    }
}

/// The text of `#[path = "…"]`.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
    pair.path.is_ident("path").then(|| text.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("sample is Rust")
    }

    #[test]
    fn lines_of_inline_test_modules_are_known() {
        let sample =
            source("a/src/x.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        assert_eq!(sample.test_lines(), vec![3..=6]);
        let other =
            source("a/src/x.rs", "#[cfg(not(test))]\nmod real {\n}\n#[cfg(any(test, unix))]\nmod both {}\n");
        assert!(other.test_lines().is_empty());
    }

    #[test]
    fn out_of_line_test_modules_and_what_lies_below_them_are_tests() {
        let files = TestFiles::of(&[
            source("a/src/x.rs", "#[cfg(test)]\nmod oracle;\n"),
            source("a/src/y/mod.rs", "#[cfg(all(test, unix))]\nmod model;\nmod real;\n"),
            source("a/src/z.rs", "#[cfg(test)]\n#[path = \"z_samples.rs\"]\nmod samples;\n"),
        ]);
        for test in [
            "a/src/x/oracle.rs",
            "a/src/x/oracle/deep.rs",
            "a/src/y/model.rs",
            "a/src/z_samples.rs",
            "a/tests/t.rs",
        ] {
            assert!(files.contains(test), "{test} is a test");
        }
        for product in
            ["a/src/x.rs", "a/src/oracle.rs", "a/src/y/real.rs", "a/src/y/models.rs", "a/src/attests.rs"]
        {
            assert!(!files.contains(product), "{product} is no test");
        }
    }

    #[test]
    fn identifiers_come_from_macros_but_not_from_strings_and_comments() {
        let sample = source("x.rs", "// alpha\nfn f() { m!(beta; \"gamma\"); }");
        let names: Vec<String> = sample.identifiers().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["fn", "f", "m", "beta"]);
    }

    #[test]
    fn what_is_not_rust_is_reported_with_its_line() {
        let violation = Source::parse("x.rs", "fn a() {}\nfn b( {}\n").err().expect("a violation");
        assert!(violation.place.starts_with("x.rs:"), "{violation}");
    }
}
