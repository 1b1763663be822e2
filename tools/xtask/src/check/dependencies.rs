//! Who may depend on whom: the table, and the check of manifests and sources against it.
//!
//! The table is for normal dependencies. Tests may take the simulator and the runtime wherever they like.

use syn::visit::{self, Visit};
use syn::{ItemUse, UseTree};

use crate::source::{Source, TestFiles};
use crate::violation::Violation;
use crate::workspace::{Package, package_of};

const ARCHIVE: &str = "thalweg-archive";
const ENGINE: &str = "thalweg-engine";
const RUNTIME: &str = "thalweg-runtime";
const SIM: &str = "thalweg-sim";
const WIRE: &str = "thalweg-wire";
const STREAMS: &str = "thalweg-streams";
const SERVER: &str = "thalweg-server";
const LOAD: &str = "thalweg-load";
const CLI: &str = "thalweg";
const PERF: &str = "thalweg-perf";
const XTASK: &str = "xtask";

struct Row {
    package: &'static str,
    /// Packages of this workspace that it may depend on.
    may: &'static [&'static str],
    /// What `may` protects.
    because: &'static str,
}

/// Packages of the workspace. Since each row lists all that is allowed, what is never reached directly is
/// never reached through others either.
#[rustfmt::skip]
const TABLE: [Row; 11] = [
    Row { package: ARCHIVE, may: &[],
          because: "archives know nothing of what is archived" },
    Row { package: ENGINE,  may: &[ARCHIVE],
          because: "the engine knows no runtime, no protocol and nothing built on it" },
    Row { package: RUNTIME, may: &[ENGINE],
          because: "the runtime implements the engine's seams, never wire or streams" },
    Row { package: SIM,     may: &[ENGINE],
          because: "the simulator stands in for the runtime, never beside it, and knows no protocol" },
    Row { package: WIRE,    may: &[],
          because: "codecs are pure: bytes in, commands out" },
    Row { package: STREAMS, may: &[ENGINE],
          because: "streams run on the engine, whatever the runtime, and know no protocol" },
    Row { package: SERVER,  may: &[ENGINE, WIRE, STREAMS],
          because: "the server is generic over the runtime, never on tools or perf" },
    Row { package: LOAD,    may: &[WIRE, RUNTIME, ENGINE],
          because: "the load generator measures from outside, never through the server" },
    Row { package: CLI,     may: &[ENGINE, RUNTIME, STREAMS, SERVER, LOAD],
          because: "the binary puts runtime, streams and server together" },
    Row { package: PERF,    may: &[ARCHIVE, ENGINE, RUNTIME, SIM, WIRE, STREAMS, SERVER, LOAD, CLI],
          because: "benches measure the product, not the repository's tools" },
    Row { package: XTASK,   may: &[],
          because: "the checks build when nothing else does" },
];

struct Confined {
    /// Published names.
    crates: &'static [&'static str],
    /// Packages of the workspace that may depend on them.
    only: &'static [&'static str],
    because: &'static str,
}

/// Crates from outside that are not for everyone.
#[rustfmt::skip]
const CONFINED: [Confined; 3] = [
    Confined { crates: &["glommio", "libc"], only: &[RUNTIME],
               because: "engine/glommio is the only importer of glommio and libc" },
    Confined { crates: &["nix", "rustix", "io-uring", "mio", "polling", "socket2"], only: &[RUNTIME],
               because: "system calls are behind the seams" },
    Confined { crates: &["tokio", "async-std", "async-executor", "async-io", "smol", "monoio", "compio",
                         "tokio-uring", "embassy-executor"], only: &[],
               because: "there is one async runtime, glommio" },
];

struct Opened {
    package: &'static str,
    /// Modules of the engine that it may name.
    modules: &'static [&'static str],
    because: &'static str,
}

/// Packages that see a part of the engine only.
const OPENED: [Opened; 2] = [
    Opened {
        package: STREAMS,
        modules: &["client", "io", "limits", "model"],
        because: "streams see the engine through its client, and time and files through its seams",
    },
    Opened {
        package: LOAD,
        modules: &["client", "model"],
        because: "the load generator measures from outside, never through engine internals",
    },
];

/// Words of protocols, in lower case: the engine has none in its identifiers.
const PROTOCOL_WORDS: [&str; 4] = ["kafka", "amqp", "rabbit", "sqs"];

/// Reports each normal dependency that the table does not allow, and each package without a row.
#[must_use]
pub fn check(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        let Some(row) = TABLE.iter().find(|row| row.package == package.name) else {
            let message = "has no row in the dependency table of tools/xtask/src/check/dependencies.rs";
            violations.push(Violation::new(&package.name, message));
            continue;
        };
        for dependency in &package.dependencies {
            if let Some(because) = refusal(row, dependency, packages) {
                let message = format!("must not depend on {dependency}: {because}");
                violations.push(Violation::new(&package.name, message));
            }
        }
    }
    violations
}

fn refusal(row: &Row, dependency: &str, packages: &[Package]) -> Option<&'static str> {
    let is_ours = TABLE.iter().any(|row| row.package == dependency)
        || packages.iter().any(|package| package.name == dependency);
    if is_ours {
        return (!row.may.contains(&dependency)).then_some(row.because);
    }
    CONFINED
        .iter()
        .find(|confined| confined.crates.contains(&dependency) && !confined.only.contains(&row.package))
        .map(|confined| confined.because)
}

/// Reports each module of the engine that is named where it must not be, and each protocol word in the
/// engine's identifiers. Tests apart.
#[must_use]
pub fn check_sources(packages: &[Package], sources: &[Source]) -> Vec<Violation> {
    let tests = TestFiles::of(sources);
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| !tests.contains(&source.path)) {
        let Some(package) = package_of(packages, &source.path) else { continue };
        let mut found = Vec::new();
        if let Some(opened) = OPENED.iter().find(|opened| opened.package == package.name) {
            EngineUses { opened, found: &mut found }.visit_file(&source.syntax);
        }
        if package.name == ENGINE {
            found.extend(protocol_words(source));
        }
        let tests = source.test_lines();
        for (line, message) in found {
            if !tests.iter().any(|lines| lines.contains(&line)) {
                violations.push(Violation::at_line(&source.path, line, message));
            }
        }
    }
    violations
}

/// A line, from 1, and what is wrong there.
type Finding = (usize, String);

fn protocol_words(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for identifier in source.identifiers() {
        let name = identifier.to_string().to_lowercase();
        if PROTOCOL_WORDS.iter().any(|word| name.contains(word)) {
            let message = format!("`{identifier}` is a protocol's word: the engine knows no protocol");
            found.push((identifier.span().start().line, message));
        }
    }
    found
}

struct EngineUses<'a> {
    opened: &'static Opened,
    found: &'a mut Vec<Finding>,
}

impl EngineUses<'_> {
    fn judge(&mut self, module: &str, line: usize) {
        if !self.opened.modules.contains(&module) {
            let message = format!("names `thalweg_engine::{module}`: {}", self.opened.because);
            self.found.push((line, message));
        }
    }

    /// `tree`: what follows `thalweg_engine::`.
    fn judge_tree(&mut self, tree: &UseTree, line: usize) {
        match tree {
            UseTree::Path(path) => self.judge(&path.ident.to_string(), line),
            UseTree::Name(name) => self.judge(&name.ident.to_string(), line),
            UseTree::Rename(rename) => self.judge(&rename.ident.to_string(), line),
            UseTree::Glob(_) => self.judge("*", line),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.judge_tree(item, line)),
        }
    }

    fn find_engine(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) if path.ident == "thalweg_engine" => {
                self.judge_tree(&path.tree, path.ident.span().start().line);
            }
            // Another name for the whole of it would hide what follows.
            UseTree::Rename(rename) if rename.ident == "thalweg_engine" => {
                self.judge("*", rename.ident.span().start().line);
            }
            UseTree::Group(group) => group.items.iter().for_each(|item| self.find_engine(item)),
            UseTree::Path(_) | UseTree::Name(_) | UseTree::Rename(_) | UseTree::Glob(_) => {}
        }
    }
}

impl<'ast> Visit<'ast> for EngineUses<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.find_engine(&item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if segments.next().is_some_and(|first| first.ident == "thalweg_engine")
            && let Some(module) = segments.next()
        {
            self.judge(&module.ident.to_string(), module.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            folder: format!("at/{name}"),
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
            roots: Vec::new(),
        }
    }

    #[test]
    fn what_the_table_allows_passes() {
        let packages = [
            package(ENGINE, &[ARCHIVE, "rkyv", "crc32fast", "thiserror"]),
            package(RUNTIME, &[ENGINE, "glommio", "libc", "flume"]),
            package(SIM, &[ENGINE]),
            package(WIRE, &["bytes"]),
            package(STREAMS, &[ENGINE, "serde_yaml"]),
            package(SERVER, &[ENGINE, WIRE, STREAMS, "hyper"]),
            package(LOAD, &[WIRE, RUNTIME, ENGINE]),
            package(CLI, &[RUNTIME, SERVER, "clap"]),
        ];
        assert_eq!(check(&packages), []);
    }

    #[test]
    fn every_forbidden_edge_is_named_with_package_dependency_and_rule() {
        for (name, dependency) in [
            (ENGINE, WIRE),
            (ENGINE, "glommio"),
            (ENGINE, "libc"),
            (ENGINE, "tokio"),
            (ENGINE, "smol"),
            (ENGINE, RUNTIME),
            (RUNTIME, WIRE),
            (RUNTIME, STREAMS),
            (RUNTIME, "tokio"),
            (SIM, "glommio"),
            (SIM, WIRE),
            (SIM, RUNTIME),
            (WIRE, ENGINE),
            (WIRE, "glommio"),
            (STREAMS, WIRE),
            (STREAMS, "glommio"),
            (STREAMS, RUNTIME),
            (STREAMS, "libc"),
            (SERVER, CLI),
            (SERVER, LOAD),
            (SERVER, PERF),
            (SERVER, RUNTIME),
            (LOAD, SERVER),
            (CLI, "libc"),
            (XTASK, ENGINE),
        ] {
            let found = check(&[package(name, &["anyhow", dependency])]);
            assert_eq!(found.len(), 1, "{name} on {dependency}");
            let text = found[0].to_string();
            assert!(text.starts_with(&format!("{name}: must not depend on {dependency}: ")), "{text}");
        }
    }

    #[test]
    fn a_package_without_a_row_and_a_dependency_on_one_are_reported() {
        let found = check(&[package("thalweg-new", &[]), package(ENGINE, &["thalweg-new"])]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    fn check_text(name: &str, text: &str) -> Vec<Violation> {
        let source = Source::parse(&format!("at/{name}/src/a.rs"), text).expect("sample is Rust");
        check_sources(&[package(name, &[])], &[source])
    }

    #[test]
    fn engine_internals_are_closed_to_the_load_generator() {
        for text in [
            "use thalweg_engine::log::Log;",
            "use thalweg_engine::{client::Client, log};",
            "use thalweg_engine::*;",
            "use thalweg_engine as engine;",
            "use {std::fmt, thalweg_engine::shard::Shard};",
            "fn a(_: thalweg_engine::log::Log) {}",
            "fn a() { thalweg_engine::limits::f(); }",
        ] {
            assert_eq!(check_text(LOAD, text).len(), 1, "{text}");
            assert!(check_text(CLI, text).is_empty(), "{text}");
        }
        let good = "use thalweg_engine::{client::Client, model};\nfn a(_: thalweg_engine::model::Offset) {}";
        assert!(check_text(LOAD, good).is_empty());
        assert!(check_text(STREAMS, "use thalweg_engine::io::Runtime;").is_empty());
        let test = "#[cfg(test)]\nmod tests {\n    use thalweg_engine::log::Log;\n}\n";
        assert!(check_text(STREAMS, test).is_empty(), "tests may look inside");
        assert_eq!(check_text(LOAD, "use thalweg_engine::io::Runtime;").len(), 1);
        assert_eq!(check_text(STREAMS, "use thalweg_engine::log::Log;").len(), 1);
    }

    #[test]
    fn the_engine_has_no_protocol_words_in_its_identifiers() {
        for text in ["fn kafka_fetch() {}", "struct AmqpQueue;", "enum A { Sqs }"] {
            assert_eq!(check_text(ENGINE, text).len(), 1, "{text}");
            assert!(check_text(SERVER, text).is_empty(), "{text}");
        }
        let vectors = "#[cfg(test)]\nmod tests {\n    fn values_are_those_of_kafka() {}\n}\n";
        assert!(check_text(ENGINE, vectors).is_empty(), "tests name where their vectors come from");
        assert_eq!(check_text(ENGINE, &format!("{vectors}fn kafka() {{}}")).len(), 1);
        assert!(check_text(ENGINE, "//! Kafka, AMQP and SQS are views.\nfn fetch() {}").is_empty());
    }
}
