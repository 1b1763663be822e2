//! What happens when too few files may be open. Alone in its program: the limit is the whole process'.

mod common;

use std::fs::File;

use thalweg_engine::catalog::TopicSettings;
use thalweg_engine::io::{DiskError, FileKind, OpenMode, Runtime};
use thalweg_engine::model::TopicName;
use thalweg_runtime::preflight::PreflightError;
use thalweg_runtime::{Engine, OpenEngineError, StartError};

use common::{TestFolder, engine_options, on_executor};

const LOW: u64 = 64;

fn limits() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Sets the limits of this process by the program that util-linux has for it; children inherit nothing else.
fn set_limits(soft: u64, hard: u64) {
    let process = std::process::id().to_string();
    let set = std::process::Command::new("prlimit")
        .args(["--pid", &process, &format!("--nofile={soft}:{hard}")])
        .status()
        .expect("prlimit of util-linux");
    assert!(set.success());
}

#[test]
fn the_limit_of_open_files_is_raised_asked_for_and_named() {
    let (_, hard) = limits();
    set_limits(LOW, hard);
    let folder = TestFolder::new();
    let engine = Engine::open(folder.path(), engine_options(1)).unwrap();
    assert_eq!(limits(), (hard, hard), "raised to the hard limit");
    engine.client().create_topic(&TopicName::new("t").unwrap(), 1, TopicSettings::default()).unwrap();
    engine.close().unwrap();

    set_limits(LOW, LOW);
    let several = TestFolder::new();
    let refused = Engine::open(several.path(), engine_options(4)).unwrap_err();
    let OpenEngineError::Machine(StartError::Preflight(error)) = &refused else { panic!("{refused:?}") };
    let PreflightError::OpenFiles { limit: LOW, needed } = error else { panic!("{error:?}") };
    assert!(*needed > LOW);
    assert!(error.to_string().contains(&format!("ulimit -n {needed}")), "{error}");

    let path = folder.path().to_path_buf();
    let opened = on_executor(&common::options(), move |runtime| {
        let path = path.clone();
        async move {
            let mut held = Vec::new();
            while let Ok(file) = File::open("/dev/null") {
                held.push(file);
            }
            // One for what the runtime looks at in passing.
            runtime.open(&path.join("new"), FileKind::Meta, OpenMode::Create).await.map(|_| ())
        }
    });
    assert!(matches!(opened, Err(DiskError::TooManyOpenFiles { .. })), "{opened:?}");
    assert!(opened.unwrap_err().to_string().starts_with("too many open files: "));
}
