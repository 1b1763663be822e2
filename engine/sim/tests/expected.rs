//! What the workloads must reach: every mark of the engine and every fault, but for those that are named here.

use std::collections::BTreeSet;
use std::path::Path;

use thalweg_sim::{FAULTS, workloads};

/// What no workload must reach, and why.
const NOT_EXPECTED: [(&str, &str); 12] = [
    ("compaction-incomplete", "batches of the compacted topic read, and can be looked into"),
    ("compaction-no-room", "the disk of the workload with a compacted topic does not fill"),
    ("compaction-unread", "nothing rots in the workload with a compacted topic"),
    (
        "disk.name_came_back",
        "the engine removes a file only where there was no room for it: some seeds in a thousand",
    ),
    ("disk.read_overlapped_write", "the engine reads only what is committed"),
    (
        "footer-left-out",
        "a segment that ends during a checkpoint has to rot before the next start: some seeds in a thousand",
    ),
    ("manifest-torn", "a folder is made once in a seed: some seeds in a thousand"),
    (
        "segment-given-up",
        "a full disk has to have more segments spare than the reserve as a checkpoint grows: some seeds in a hundred",
    ),
    ("mesh.full", "credits keep a channel from being full"),
    ("producers-forgotten", "a producer lives for a day, and the loaders go on where they were"),
    ("time-search-goes-on", "log starts of the topics that are searched lie between batches"),
    ("mesh.to_closed", "shards close together, after their requests"),
];

fn marks_in(folder: &Path, marks: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            marks_in(&path, marks);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let found = text.split("mark(\"").skip(1).filter_map(|rest| rest.split('"').next());
        marks.extend(found.map(str::to_owned));
    }
}

#[test]
fn workloads_expect_every_mark_of_the_engine_and_every_fault() {
    let mut names: BTreeSet<String> = FAULTS.iter().map(|name| (*name).to_owned()).collect();
    marks_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src"), &mut names);
    assert!(names.contains("segment-roll"), "no mark was found: {names:?}");
    let all = workloads::all();
    let expected: BTreeSet<&str> = all.iter().flat_map(|workload| workload.expected()).copied().collect();
    let missing: Vec<&String> = (names.iter())
        .filter(|name| !expected.contains(name.as_str()))
        .filter(|name| !NOT_EXPECTED.iter().any(|(known, _)| known == name))
        .collect();
    assert!(missing.is_empty(), "no workload expects {missing:?}");
}
