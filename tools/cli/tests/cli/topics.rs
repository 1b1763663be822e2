//! `thalweg topic`.

use serde_json::json;

use super::common::Place;

#[test]
fn topics_are_created_listed_described_and_deleted() {
    let place = Place::new();
    let created = place.run("topic create lines --partitions 3 --data d --shards 2 --json").json();
    assert_eq!((&created["name"], &created["partition_count"]), (&json!("lines"), &json!(3)));
    assert_eq!(
        place.run("topic create a.b_c-1 --data d").succeeds().text(),
        "created a.b_c-1 with 1 partition\n"
    );
    let list = place.run("topic list --data d").succeeds();
    assert_eq!(list.text(), "a.b_c-1  1 partition\nlines  3 partitions\n");
    let list = place.run("topic list --data d --json").json();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|topic| &topic["name"]).collect();
    assert_eq!(names, ["a.b_c-1", "lines"]);
    assert_eq!(list[1]["internal"], json!(false));

    let described = place.run("topic describe lines --data d --json").json();
    let rows = described["partitions"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!((&row["partition"], &row["start"], &row["end"]), (&json!(index), &json!(0), &json!(0)));
        assert!(row["shard"].as_u64().unwrap() < 2, "{row}");
    }
    assert_ne!(rows[0]["shard"], rows[1]["shard"], "partitions are spread over the shards");

    assert_eq!(place.run("topic delete lines --data d").succeeds().text(), "deleted lines\n");
    assert_eq!(place.run("topic list --data d").succeeds().text(), "a.b_c-1  1 partition\n");
    assert_eq!(place.run("topic delete a.b_c-1 --data d --json").json(), json!({"deleted": "a.b_c-1"}));
    assert_eq!(place.run("topic list --data d --json").json(), json!([]));
}

#[test]
fn what_is_wrong_with_a_topic_is_said_with_its_exit_code() {
    let place = Place::with_topic("lines", 2);
    place.run("topic create lines --data d").fails(1, &["topic lines exists"]);
    place.run("topic create li/nes --data d").fails(2, &["'/'", "letters, digits"]);
    place.run("topic create x --partitions 0 --data d").fails(2, &["--partitions"]);
    place.run("topic create x --partitions 4097 --data d").fails(2, &["4096"]);
    for command in ["topic describe line", "topic delete line", "consume line", "produce line"] {
        place.run(&format!("{command} --data d")).fails(3, &["topic line does not exist; there are: lines"]);
    }
    place.run("consume lines --partition 2 --data d").fails(3, &["partition 2 does not exist; lines has 2"]);
    place.run("produce lines --partition 2 --data d").fails(3, &["partition 2 does not exist; lines has 2"]);
    place.run("consume lines --from soon --data d").fails(2, &["'soon' is neither 'beginning' nor 'end'"]);
    place.run("topic list").fails(2, &["--data <DIR>"]);
}

#[test]
fn only_commands_that_make_something_make_a_data_folder() {
    let place = Place::new();
    let readers = ["topic list", "topic describe t", "topic delete t", "consume t", "produce t"];
    for command in readers {
        place.run(&format!("{command} --data none")).fails(3, &["\"none\" does not exist", "topic create"]);
        assert!(!place.path("none").exists(), "{command} made a folder");
    }
    std::fs::create_dir(place.path("other")).unwrap();
    for command in readers {
        place.run(&format!("{command} --data other")).fails(3, &["\"other\" is not a data folder"]);
        assert_eq!(std::fs::read_dir(place.path("other")).unwrap().count(), 0, "{command} made something");
    }
    place.run("topic create t --data none --shards 1").succeeds();
    place.run("topic list --data none").succeeds();
}

#[test]
fn a_topic_is_kept_as_long_as_it_was_said_at_its_creation_or_later() {
    let place = Place::new();
    let on = "--data d --shards 2 --partitions 2";
    let created =
        place.run(&format!("topic create t --retention 7d --retention-size 5GiB {on} --json")).json();
    assert_eq!(created["retention_ms"], json!(604_800_000));
    assert_eq!(created["retention_bytes"], json!(5u64 << 30));
    let first_line =
        || place.run("topic describe t --data d").succeeds().text().lines().next().unwrap().to_owned();
    assert_eq!(first_line(), "t  2 partitions, kept for 7d and up to 5GiB a partition");
    let alter = |to: &str| place.run(&format!("topic alter t {to} --data d")).succeeds().text().to_owned();
    assert_eq!(alter("--retention 90m"), "altered t: kept for 90m and up to 5GiB a partition\n");
    assert_eq!(alter("--retention-size unlimited"), "altered t: kept for 90m\n");
    assert_eq!(alter("--retention forever"), "altered t: kept for ever\n");
    assert_eq!(first_line(), "t  2 partitions, kept for ever");
    assert_eq!(place.run("topic describe t --data d --json").json()["retention_ms"], json!(null));
    place.run("topic alter t --data d").fails(2, &["nothing to change"]);
    place.run("topic alter t --retention 7 --data d").fails(2, &["'7' is no duration like 7d"]);
    place.run("topic create u --retention-size 5G --data d").fails(2, &["'5G' is no size like 5GiB"]);
    place.run("topic alter u --retention 7d --data d").fails(3, &["topic u does not exist"]);
}

#[test]
fn a_partition_that_was_let_go_of_is_read_from_where_it_begins() {
    let place = Place::with_topic("lines", 1);
    // A batch each.
    for batch in 0..5 {
        let lines: String = (1000 * batch..1000 * (batch + 1)).map(|number| format!("{number}\n")).collect();
        place.write("lines.txt", &lines);
        place.run("produce lines --file lines.txt --data d").succeeds();
    }
    place.run("topic trim lines --partition 1 --before 5 --data d").fails(3, &["partition 1 does not exist"]);
    place.run("topic trim lines --partition 0 --before 5001 --data d").fails(3, &["5001", "5000"]);
    let trimmed = place.run("topic trim lines --partition 0 --before 1000 --data d").succeeds();
    assert_eq!(trimmed.text(), "partition 0 of lines begins at 1000 and ends at 5000\n");
    let read = place.run("consume lines --from 5 --max 1 --data d").succeeds();
    assert_eq!(
        (read.text(), read.stderr.as_str()),
        ("1000\n", "note: partition 0 begins at 1000, behind offset 5\n")
    );

    // Of a thousand lines with 28 bytes each.
    place.run("topic alter lines --retention-size 60000 --data d").succeeds();
    let start =
        || place.run("topic describe lines --data d --json").json()["partitions"][0]["start"].as_u64();
    let reached = (0..100).any(|_| start() == Some(2000));
    assert!(reached, "begins at {:?}", start());
    let all = place.run("topic trim lines --partition 0 --before end --data d --json").json();
    assert_eq!(all, json!({"topic": "lines", "partition": 0, "start": 5000, "end": 5000}));
    assert_eq!(place.run("consume lines --data d").succeeds().text(), "");
}

#[test]
fn a_compacted_topic_is_made_changed_and_takes_no_record_without_a_key() {
    let place = Place::new();
    let made =
        place.run("topic create users --cleanup-policy compact --tombstone-delay 1h --data d --json").json();
    assert_eq!(
        (&made["cleanup_policy"], &made["tombstone_delay_ms"]),
        (&json!("compact"), &json!(3_600_000))
    );
    assert_eq!((&made["compaction_lag_ms"], &made["compaction_dirty_percent"]), (&json!(0), &json!(50)));
    let described = place.run("topic describe users --data d").succeeds();
    assert!(
        described.text().contains("kept the latest of each key, tombstones for 1h"),
        "{}",
        described.text()
    );
    let altered = "topic alter users --cleanup-policy compact,delete --compaction-lag 5m --compaction-dirty 10 --data d --json";
    let altered = place.run(altered).json();
    assert_eq!(
        (&altered["cleanup_policy"], &altered["compaction_lag_ms"]),
        (&json!("compact,delete"), &json!(300_000))
    );
    assert_eq!(
        (&altered["tombstone_delay_ms"], &altered["compaction_dirty_percent"]),
        (&json!(3_600_000), &json!(10))
    );
    place.run("topic create x --cleanup-policy keep --data d").fails(2, &["'keep' is none of"]);
    place.run("topic alter users --data d").fails(2, &["nothing to change", "--cleanup-policy"]);
}
