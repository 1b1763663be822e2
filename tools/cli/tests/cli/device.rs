//! Measuring a device.

use super::common::Place;

#[test]
fn a_probe_of_a_data_folder_is_kept_and_the_folder_goes_by_it() {
    let place = Place::with_topic("lines", 1);
    let first = place.run("device probe --data d --json").succeeds().json();
    assert_eq!(first["kept"], true);
    let method = first["method"].as_str().expect("a name").to_owned();
    assert!(["O_DSYNC", "fdatasync"].contains(&method.as_str()), "{first}");
    for way in ["O_DSYNC", "fdatasync"] {
        for size in ["write_4k_us", "write_256k_us", "write_4k_at_once_us", "write_256k_at_once_us"] {
            assert!(first[way][size].as_f64().is_some_and(|time| time > 0.0), "{way} {size}: {first}");
        }
    }
    let kept = std::fs::read_to_string(place.path("d/DEVICE")).unwrap();
    let key = if method == "O_DSYNC" { "method=write_through" } else { "method=flush" };
    assert!(kept.lines().any(|line| line == key), "{kept}");
    // What was kept before is told, and replaced.
    let other = if method == "O_DSYNC" { "method=flush" } else { "method=write_through" };
    std::fs::write(place.path("d/DEVICE"), kept.replace(key, other)).unwrap();
    let again = place.run("device probe --data d --json").succeeds().json();
    assert_ne!(again["method_before"], method.as_str());
    let probed = place.run("device probe --data d").succeeds();
    let text = probed.text();
    assert!(
        text.contains("logs at the speed of one") && text.contains("the next start goes by it"),
        "{text}"
    );
    assert!(!place.path("d/.probe-0").exists(), "its files are removed");
    assert_eq!(place.run("topic list --data d").succeeds().text(), "lines  1 partition\n");
}

#[test]
fn a_probe_of_another_folder_leaves_nothing_in_it() {
    let place = Place::new();
    std::fs::create_dir(place.path("plain")).unwrap();
    let found = place.run("device probe --data plain --json").succeeds().json();
    assert_eq!(found["kept"], false);
    assert_eq!(std::fs::read_dir(place.path("plain")).unwrap().count(), 0);
    place.run("device probe --data nowhere").fails(3, &["nowhere", "does not exist"]);
    place.write("file", "x");
    place.run("device probe --data file").fails(2, &["is a file"]);
}
