//! The README's commands do what it says.

use super::common::Place;

#[test]
fn the_tour_of_the_readme_runs_as_it_stands() {
    let readme = include_str!("../../../../README.md");
    let tour =
        readme.split("## A quick tour").nth(1).unwrap().split("### Word count in Rust").next().unwrap();
    let blocks = tour.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands: String = blocks.collect();
    assert_eq!(commands.matches("\nthalweg ").count(), 15, "{commands}");
    let place = Place::new();
    let ended = place.shell(&format!("set -e; thalweg() {{ \"$T\" \"$@\"; }}\n{commands}")).succeeds();
    let said = ended.text();
    for part in [
        "created lines with 2 partitions\n",
        "appended 2 records of 16 bytes to lines\n",
        "en\thello\n",
        "de\thallo\n",
        "\"value\":\"hallo\"",
        "partition  shard",
        "readers  2 offsets, no members\n",
        "altered lines: kept for 7d and up to 5GiB a partition\n",
        "1 passed, 0 failed\n",
        "superblock in force",
        ": whole; read ",
        "format 1; this program reads up to 1\n",
        "Topology: word-count\n",
        "hello\t1\n",
        "hallo\t1\n",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}
