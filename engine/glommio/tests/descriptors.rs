//! What an engine leaves open in its process. Alone in its program: other tests open files too.

mod common;

use std::collections::BTreeMap;

use thalweg_runtime::Engine;

use common::{TestFolder, engine_options};

fn open(folder: &TestFolder) -> Engine {
    Engine::open(folder.path(), engine_options(2)).unwrap()
}

/// What this process has open: how often which.
fn descriptors() -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        if let Ok(target) = std::fs::read_link(entry.unwrap().path()) {
            *found.entry(target.to_string_lossy().into_owned()).or_default() += 1;
        }
    }
    found
}

/// Glommio (0.9.0) never frees what its event descriptor belongs to: there are three executors in each round.
#[test]
fn opening_and_closing_leaves_nothing_open_but_one_event_descriptor_per_executor() {
    let folder = TestFolder::new();
    open(&folder).close().unwrap();
    let mut expected = descriptors();
    for _ in 0..3 {
        open(&folder).close().unwrap();
    }
    *expected.get_mut("anon_inode:[eventfd]").unwrap() += 3 * 3;
    assert_eq!(descriptors(), expected);
}
