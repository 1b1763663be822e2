//! The probe on a real disk.

mod common;

use std::time::Duration;

use common::{TestFolder, options};
use thalweg_runtime::probe::{Place, ProbeError, ProbeReport, free_space, probe};

#[test]
fn a_folder_is_measured_and_left_as_it_was() {
    let folder = TestFolder::new();
    std::fs::write(folder.join("kept"), "kept").unwrap();
    let report = probe(folder.path(), &options()).unwrap();
    assert!(report.parallel_logs() > 0.0, "{}", report.encode());
    for medians in [report.flush, report.write_through] {
        for time in [medians.small, medians.large, medians.small_at_once, medians.large_at_once] {
            assert!(time > Duration::ZERO);
        }
    }
    assert!(report.rounds >= 3);
    assert_eq!(report.place, Place::of(folder.path()).unwrap());
    assert_eq!(ProbeReport::decode(&report.encode()).as_ref(), Ok(&report));
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["kept"]);
}

#[test]
fn a_missing_folder_cannot_be_measured() {
    let folder = TestFolder::new();
    let refused = probe(&folder.join("missing"), &options());
    assert!(matches!(refused, Err(ProbeError::Place { .. })));
}

#[test]
fn a_place_has_device_file_system_and_room() {
    let folder = TestFolder::new();
    let place = Place::of(folder.path()).unwrap();
    let (major, minor) = place.device.split_once(':').unwrap();
    assert!(major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok(), "{place:?}");
    assert_ne!(place.file_system, "unknown");
    assert!(folder.path().canonicalize().unwrap().starts_with(&place.mount_point));
    let space = free_space(folder.path()).unwrap();
    assert!(space.free_bytes > 0);
    assert!(space.free_bytes <= space.total_bytes);
}
