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
