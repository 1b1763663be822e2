//! `thalweg group`, and `consume --group`.

use serde_json::json;

use super::common::Place;

#[test]
fn a_group_goes_on_where_it_was_and_its_lag_is_told() {
    let place = Place::with_topic("lines", 2);
    place.write("first", "a\nb\nc\n");
    place.run("produce lines --partition 0 --file first --data d").succeeds();
    place.run("produce lines --partition 1 --file first --data d").succeeds();
    assert_eq!(place.run("group list --data d --json").json(), json!([]));
    assert_eq!(place.run("consume lines --group g --max 4 --data d").succeeds().text(), "a\nb\nc\na\n");
    let described = place.run("group describe g --data d --json").json();
    assert_eq!((&described["lag"], &described["offset_count"]), (&json!(2), &json!(2)));
    assert_eq!(described["active"], json!(false));
    let row = json!({"topic": "lines", "partition": 1, "offset": 1, "start": 0, "end": 3, "lag": 2,
                     "leader_epoch": null, "metadata": ""});
    assert_eq!(described["offsets"][1], row);
    // --from counts only where nothing is committed.
    assert_eq!(place.run("consume lines --group g --from beginning --data d").succeeds().text(), "b\nc\n");
    assert_eq!(place.run("consume lines --group g --data d").succeeds().text(), "");
    assert_eq!(place.run("consume lines --group late --from end --data d").succeeds().text(), "");
    place.run("produce lines --partition 0 --file first --data d").succeeds();
    for group in ["g", "late"] {
        let read = place.run(&format!("consume lines --group {group} --max 2 --data d")).succeeds();
        assert_eq!(read.text(), "a\nb\n");
    }
    assert_eq!(
        place.run("group list --data d").succeeds().text(),
        "g  2 offsets, no members\nlate  2 offsets, no members\n"
    );
    let text = place.run("group describe late --data d").succeeds().text().to_owned();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["topic", "partition", "offset", "end", "lag"]);
    assert_eq!(lines[2], ["lines", "0", "5", "6", "1"]);
    assert_eq!(lines[3], ["lines", "1", "3", "3", "0"]);

    // Records that were let go count as read.
    place.run("topic trim lines --partition 0 --before end --data d").succeeds();
    assert_eq!(place.run("group describe late --data d --json").json()["lag"], json!(0));
    let ended = place.run("consume lines --group late --data d").succeeds();
    assert!(ended.stderr.contains("partition 0 begins at 6") || ended.text().is_empty(), "{}", ended.stderr);

    assert_eq!(place.run("group delete late --data d --json").json(), json!({"deleted": "late"}));
    assert_eq!(place.run("group delete g --data d").succeeds().text(), "deleted g\n");
    assert_eq!(place.run("group list --data d").succeeds().text(), "");
}

#[test]
fn a_group_that_stops_within_the_first_of_several_batches_goes_on_there() {
    let place = Place::with_topic("lines", 1);
    for number in 0..3 {
        place.write("five", (0..5).map(|line| format!("{number}{line}\n")).collect::<String>());
        place.run("produce lines --file five --data d").succeeds();
    }
    let read = || place.run("consume lines --group g --max 4 --data d").succeeds().text().to_owned();
    assert_eq!(read(), "00\n01\n02\n03\n");
    assert_eq!(read(), "04\n10\n11\n12\n");
    assert_eq!(read(), "13\n14\n20\n21\n");
    assert_eq!(read(), "22\n23\n24\n");
    assert_eq!(read(), "");
}

#[test]
fn a_group_is_reset_to_an_offset_an_end_or_a_time() {
    let place = Place::with_topic("lines", 2);
    let records = (0..6).map(|n| format!("{{\"value\": \"v{n}\", \"timestamp\": {}}}\n", 1000 * n));
    place.write("six", records.collect::<String>());
    place.run("produce lines --partition 0 --format json --file six --data d").succeeds();
    let offsets = |to: &str| {
        place.run(&format!("group reset-offsets g --topic lines {to} --data d")).succeeds();
        let described = place.run("group describe g --data d --json").json();
        let rows = described["offsets"].as_array().unwrap().iter();
        rows.map(|row| row["offset"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(offsets("--to end --partition 0"), [6]);
    assert_eq!(offsets("--to beginning"), [0, 0]);
    assert_eq!(offsets("--to 4 --partition 0"), [4, 0]);
    assert_eq!(offsets("--to-time 2500"), [3, 0]);
    assert_eq!(offsets("--to-time 1970-01-01T00:00:05Z"), [5, 0]);
    assert_eq!(place.run("consume lines --group g --data d").succeeds().text(), "v5\n");
    let json = place.run("group reset-offsets g --topic lines --to 2 --partition 0 --data d --json").json();
    assert_eq!(json, json!({"name": "g", "topic": "lines", "offsets": [{"partition": 0, "offset": 2}]}));
    // Nothing changes where one of the partitions does not hold the offset.
    place
        .run("group reset-offsets g --topic lines --to 5 --data d")
        .fails(3, &["partition 1 of lines holds 0 to 0"]);
    assert_eq!(place.run("consume lines --group g --max 1 --data d").succeeds().text(), "v2\n");
}

#[test]
fn what_is_wrong_with_a_group_is_said_with_its_exit_code() {
    let place = Place::with_topic("lines", 1);
    place.run("group describe g --data d").fails(3, &["group g does not exist; there is no group"]);
    place.run("consume lines --group known --data d").succeeds();
    for command in ["describe", "delete"] {
        let what = "group g does not exist; there are: known";
        place.run(&format!("group {command} g --data d")).fails(3, &[what]);
    }
    let reset = "group reset-offsets g --data d";
    place.run(&format!("{reset} --topic lines")).fails(2, &["--to"]);
    place.run(&format!("{reset} --topic line --to end")).fails(3, &["topic line does not exist"]);
    place
        .run(&format!("{reset} --topic lines --to end --partition 1"))
        .fails(3, &["partition 1 does not exist"]);
    place.run(&format!("{reset} --topic lines --to end --to-time 5")).fails(2, &["--to-time"]);
    let long = "x".repeat(1025);
    place.run(&format!("group delete {long} --data d")).fails(2, &["1025 bytes exceeds the limit of 1024"]);
    place.run("consume lines --group g --from-time 0 --data d").fails(2, &["--from-time"]);
    place.run("group list --data none").fails(3, &["\"none\" does not exist"]);
    // A deleted topic takes what was committed of it along.
    place.run("topic delete lines --data d").succeeds();
    place.run("topic create lines --data d").succeeds();
    let left = place.run("group list --data d --json").json();
    assert!(left == json!([]) || left[0]["offset_count"] == json!(1), "{left}");
    place.run("consume lines --group known --data d").succeeds();
}
