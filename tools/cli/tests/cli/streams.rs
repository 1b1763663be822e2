//! `thalweg streams`.

use std::collections::BTreeMap;

use serde_json::json;
use thalweg_engine::catalog::TopicSettings;
use thalweg_engine::client::ShardClient;
use thalweg_engine::model::TopicName;
use thalweg_runtime::{Engine, EngineOptions, GlommioRuntime};
use thalweg_streams::runner::reset;

use super::common::Place;

const WORD_COUNT: &str = "\
topology: word-count
steps:
  - {from: text}
  - {flat_map: words}
  - {group_by: value}
  - {count: {store: counts}}
  - {to: word-counts}
tests: [{in: [\"Hello hello world\"], out: {hello: 2, world: 1}}]
";

/// The words of `text`, counted in the plainest way.
fn count(text: &[u8]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    let text = text.to_ascii_lowercase();
    for word in
        text.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').filter(|word| !word.is_empty())
    {
        *counts.entry(String::from_utf8(word.to_vec()).unwrap()).or_default() += 1;
    }
    counts
}

/// The latest count of each word in `word-counts`. A count that does not rise was counted twice or lost.
fn counted(place: &Place) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for record in place.run("consume word-counts --value-format i64 --json --data d").json_lines() {
        let (word, count) = (record["key"].as_str().unwrap(), record["value"].as_i64().unwrap());
        let before = counts.insert(word.to_owned(), count).unwrap_or(0);
        assert!(count > before, "{word} went from {before} to {count}");
    }
    counts
}

#[test]
fn a_word_count_goes_on_where_it_was_and_counts_nothing_twice() {
    let place = Place::new();
    place.write("wc.yaml", WORD_COUNT);
    place.run("topic create text --partitions 3 --data d --shards 2").succeeds();
    let first: String =
        (0..3000).map(|i| format!("The word{} of line {}, and the rest.\n", i % 97, i % 13)).collect();
    place.pipe(first.as_bytes(), "produce text --data d").succeeds();
    let run = "streams run wc.yaml --data d --until-idle --json";
    let summary = place.run(run).json();
    assert_eq!(summary["topology"], json!("word-count"));
    let inputs = summary["inputs"].as_array().unwrap();
    let read = inputs.iter().filter(|input| input["topic"] == json!("text"));
    assert_eq!(read.map(|input| input["committed"].as_u64().unwrap()).sum::<u64>(), 3000);
    assert_eq!(counted(&place), count(first.as_bytes()));

    let said = (&summary["records_in"], &summary["records_internal"], &summary["records_out"]);
    let counts = place.run("consume word-counts --json --data d").json_lines().len();
    assert_eq!((said.0, said.2), (&json!(3000), &json!(counts)), "what goes between parts is apart");
    assert!(said.1.as_u64().unwrap() >= counts as u64, "{summary}");

    let again = place.run(run).json();
    assert_eq!((&again["records_in"], &again["records_out"]), (&json!(0), &json!(0)), "{again}");
    assert_eq!(counted(&place), count(first.as_bytes()));

    // Not all of it is text: what is no word separates words.
    let second = b"the \xff\xfe new\xc3word \x00the\n\xe2\x28\xa1 WORD1\n";
    place.pipe(second, "produce text --data d").succeeds();
    assert_eq!(place.run(run).json()["inputs"].as_array().unwrap().len(), inputs.len());
    let mut all = first.into_bytes();
    all.extend_from_slice(second);
    assert_eq!(counted(&place), count(&all));

    let topics = place.run("topic list --data d").succeeds();
    assert_eq!(topics.text(), "text  3 partitions\nword-counts  3 partitions\n");
    assert!(place.run("topic list --internal --data d").succeeds().text().contains(", internal\n"));
}

#[test]
fn a_topology_runs_until_it_is_interrupted() {
    let place = Place::new();
    place.write("wc.yaml", WORD_COUNT);
    let mut running = place.start("streams run wc.yaml --data d --shards 1 --json");
    running.await_saying("word-count is running");
    // There is no other end, so this one is regular.
    let ended = running.interrupt();
    assert_eq!(ended.json()["records_in"], json!(0));
    let topics = place.run("topic list --data d").succeeds();
    assert_eq!(
        topics.text(),
        "text  1 partition\nword-counts  1 partition\n",
        "it makes the topics it names"
    );
}

#[test]
fn a_topology_is_described_and_its_tests_are_run() {
    let place = Place::new();
    place.write("wc.yaml", WORD_COUNT);
    let described = place.run("streams describe wc.yaml").succeeds();
    for part in [
        "Topology: word-count",
        "topics: [text]",
        "stores: [counts]",
        "Sub-topology: 1",
        "topic: word-counts",
    ] {
        assert!(described.text().contains(part), "{}", described.text());
    }
    assert!(place.run("streams describe wc.yaml --mermaid").succeeds().text().starts_with("flowchart"));
    assert_eq!(place.run("streams test wc.yaml").succeeds().text(), "1 passed, 0 failed\n");

    place.write("wrong.yaml", WORD_COUNT.replace("world: 1", "world: 2"));
    let wrong = place.run("streams test wrong.yaml");
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert_eq!(
        wrong.text(),
        "FAILED test 1: topic 'word-counts': key 'world': expected '2', found '1'\n0 passed, 1 failed\n"
    );
    place.write("none.yaml", WORD_COUNT.split("tests").next().unwrap());
    assert!(place.run("streams test none.yaml").succeeds().stderr.contains("none.yaml contains no tests"));
}

#[test]
fn what_is_wrong_with_a_topology_is_said_before_anything_runs() {
    let place = Place::new();
    let refused = |text: &[u8], parts: &[&str]| {
        place.write("t.yaml", text);
        for command in
            ["streams describe t.yaml", "streams test t.yaml", "streams run t.yaml --data d --until-idle"]
        {
            place.run(command).fails(2, parts);
        }
        assert!(!place.path("d").exists(), "nothing was made for {}", String::from_utf8_lossy(text));
    };
    let with = |from: &str, to: &str| WORD_COUNT.replacen(from, to, 1).into_bytes();
    refused(&with("count:", "cont:"), &["t.yaml:6:6: unknown step 'cont'; did you mean 'count'?"]);
    refused(&with("store:", "stroe:"), &["t.yaml:6:14: ", "'stroe'", "did you mean 'store'?"]);
    refused(&with("steps:", "stepz:"), &["t.yaml:2:1: ", "'stepz'", "did you mean 'steps'?"]);
    refused(&with("  - {group_by: value}\n", ""), &["t.yaml:5:"]);
    refused(&with("to: word-counts", "to: word/counts"), &["t.yaml:7:10: ", "'/'"]);
    refused(&with("{to: word-counts}", "{merge: other}"), &["t.yaml:7:", "other"]);
    refused(&with("steps:", "steps: ["), &["t.yaml:"]);
    refused(b"topology: \xff\n", &["t.yaml is not UTF-8 at byte 10"]);
    place.run("streams test /dev/zero").fails(2, &["/dev/zero is larger than 1048576 bytes"]);
    place.run("streams run nothing.yaml --data d").fails(3, &["nothing.yaml cannot be read"]);
}

#[test]
fn topics_that_cannot_feed_one_store_are_refused_before_anything_is_counted() {
    let place = Place::with_topic("a", 2);
    place.run("topic create b --partitions 3 --data d").succeeds();
    place.pipe(b"k:v\n", "produce a --key-separator : --data d").succeeds();
    place.write(
        "t.yaml",
        "topology: t\nsteps: [{from: [a, b]}, {group_by: key}, {count: {store: s}}, {to: c}]\n",
    );
    let parts = ["'a' with 2 partitions and 'b' with 3 feed one store", "give them equally many"];
    place.run("streams run t.yaml --until-idle --data d").fails(2, &parts);
    place.run("topic delete b --data d").succeeds();
    place.run("topic create b --partitions 2 --data d").succeeds();
    place.run("streams run t.yaml --until-idle --data d").succeeds();
    let counts = place.run("consume c --value-format i64 --data d").succeeds();
    assert_eq!(counts.text(), "k\t1\n");
}

#[test]
fn internal_topics_are_left_to_their_topology() {
    let place = Place::with_topic("text", 1);
    place.write("wc.yaml", WORD_COUNT);
    place.run("streams run wc.yaml --until-idle --data d").succeeds();
    let internal = "word-count-counts-repartition";
    let named = format!("topic {internal} is an internal topic of a topology");
    place.pipe(b"x\n", &format!("produce {internal} --data d")).fails(2, &[&named]);
    place.run(&format!("topic delete {internal} --data d")).fails(2, &[&named, "--internal"]);
    place.run("topic create x-repartition --data d").fails(2, &["topic x-repartition: ", "internal topics"]);
    place.write("own.yaml", WORD_COUNT.replace("from: text", &format!("from: {internal}")));
    place.run("streams run own.yaml --data d").fails(2, &["own.yaml:3:12: ", internal, "internal topics"]);
    place.run(&format!("consume {internal} --data d")).succeeds();
    let deleted = place.run(&format!("topic delete {internal} --internal --data d")).succeeds();
    assert_eq!(deleted.text(), format!("deleted {internal}\n"));
}

#[test]
fn other_steps_over_the_same_store_are_refused_until_it_is_reset() {
    let place = Place::new();
    place.run("topic create text --partitions 2 --data d --shards 2").succeeds();
    place.pipe(b"k:v\nk:w\n", "produce text --key-separator : --data d").succeeds();
    let file = |step: &str| {
        format!("topology: t\nsteps: [{{from: text}}, {{group_by: key}}, {{{step}}}, {{to: out}}]\n")
    };
    place.write("count.yaml", file("count: {store: s}"));
    place.write("last.yaml", file("reduce: {store: s, with: last}"));
    place.run("streams run count.yaml --until-idle --data d").succeeds();
    let refused = place.run("streams run last.yaml --until-idle --data d");
    refused.fails(2, &["store 's' was made by a count of ", "by a reduce of ", "thalweg streams reset"]);
    place.run("streams run count.yaml --until-idle --data d").succeeds();
    place
        .run("streams reset t --data d")
        .fails(2, &["stores, positions and internal topics of topology t", "--force"]);
    let reset = place.run("streams reset t --force --data d").succeeds();
    assert_eq!(reset.text(), "reset t; dropped its positions and s\n");
    place.run("streams run last.yaml --until-idle --data d").succeeds();
    assert_eq!(place.run("consume out --data d").succeeds().stdout, b"k\t\0\0\0\0\0\0\0\x02\nk\tw\n");
}

#[test]
fn topologies_whose_names_read_alike_count_apart() {
    let place = Place::new();
    place.run("topic create one --partitions 2 --data d --shards 2").succeeds();
    place.run("topic create two --partitions 2 --data d").succeeds();
    place.pipe(b"a b a\nb c\n", "produce one --data d").succeeds();
    place.pipe(b"x a\nx x\n", "produce two --data d").succeeds();
    let file = |topology: &str, store: &str, from: &str| {
        format!(
            "topology: {topology}\nsteps: [{{from: {from}}}, {{flat_map: words}}, {{group_by: value}}, \
             {{count: {{store: {store}}}}}, {{to: counts-of-{from}}}]\n"
        )
    };
    place.write("one.yaml", file("a-b", "c", "one"));
    place.write("two.yaml", file("a", "b-c", "two"));
    for _ in 0..2 {
        place.run("streams run one.yaml --until-idle --data d").succeeds();
        place.run("streams run two.yaml --until-idle --data d").succeeds();
    }
    let counts = |topic: &str| {
        let read = place.run(&format!("consume {topic} --value-format i64 --data d")).succeeds();
        let mut lines: Vec<String> = read.text().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(counts("counts-of-one"), ["a\t2", "b\t2", "c\t1"]);
    assert_eq!(counts("counts-of-two"), ["a\t1", "x\t3"]);
    place.run("streams reset a --force --data d").succeeds();
    let left = place.run("topic list --internal --data d").succeeds();
    assert!(left.text().contains("a-b-c-repartition  2 partitions, internal\n"), "{}", left.text());
    assert!(!left.text().contains("a-b-c-3--repartition"), "{}", left.text());
}

#[test]
fn a_reset_of_some_shards_is_ended_before_the_topology_counts_on() {
    let place = Place::new();
    place.write("wc.yaml", WORD_COUNT);
    place.run("topic create text --partitions 4 --data d --shards 2").succeeds();
    let text: String = (0..400).map(|i| format!("the word{} of {}\n", i % 97, i % 13)).collect();
    place.pipe(text.as_bytes(), "produce text --data d").succeeds();
    place.run("streams run wc.yaml --until-idle --data d").succeeds();
    // As a reset that was killed after one shard's part of it.
    let engine = Engine::open(&place.path("d"), EngineOptions::default()).unwrap();
    let (sender, outcome) = std::sync::mpsc::channel();
    let task = move |client: ShardClient<GlommioRuntime>| {
        let sender = sender.clone();
        async move {
            if client.shard().0 == 1 {
                sender.send(reset(&client, "word-count").await.map(drop)).unwrap();
            }
        }
    };
    engine.on_each_shard(task).unwrap();
    outcome.recv().unwrap().unwrap();
    engine.close().unwrap();

    let parts = ["reset of topology 'word-count' was interrupted", "run it again: `thalweg streams reset`"];
    place.run("streams run wc.yaml --until-idle --data d").fails(1, &parts);
    place.run("streams reset word-count --force --data d").succeeds();
    assert_eq!(place.run("topic list --internal --data d").succeeds().text().matches("internal").count(), 0);
    place.run("topic delete word-counts --data d").succeeds();
    place.run("streams run wc.yaml --until-idle --data d").succeeds();
    assert_eq!(counted(&place), count(text.as_bytes()));
}

#[test]
fn a_reset_that_is_killed_is_whole_or_run_again() {
    let place = Place::new();
    place.write("wc.yaml", WORD_COUNT);
    place.run("topic create text --partitions 64 --data d --shards 2").succeeds();
    let text: String = (0..400).map(|i| format!("the word{} of {}\n", i % 97, i % 13)).collect();
    place.pipe(text.as_bytes(), "produce text --data d").succeeds();
    place.run("streams run wc.yaml --until-idle --data d").succeeds();
    let running = place.start("streams reset word-count --force --data d");
    place.await_in_log(b"word-count-resetting--");
    running.kill();
    place.run("topic delete word-counts --data d").succeeds();
    let mut run = place.run("streams run wc.yaml --until-idle --data d");
    if run.code != 0 {
        run.fails(1, &["run it again: `thalweg streams reset`"]);
        place.run("streams reset word-count --force --data d").succeeds();
        run = place.run("streams run wc.yaml --until-idle --data d");
    }
    run.succeeds();
    assert_eq!(counted(&place), count(text.as_bytes()));
}

#[test]
fn a_topology_of_which_nothing_is_kept_is_not_reset() {
    let place = Place::with_topic("text", 1);
    place.run("streams reset nosuch --force --data d").fails(3, &["nothing is kept of topology nosuch"]);
    place.write("wc.yaml", WORD_COUNT);
    place.run("streams run wc.yaml --until-idle --data d").succeeds();
    let reset = place.run("streams reset word-count --force --data d").succeeds();
    assert_eq!(reset.text(), "reset word-count; dropped its positions and counts\n");
    place.run("streams reset word-count --force --data d").fails(3, &["nothing is kept"]);

    // An internal topic goes, though no store tells of it any more.
    let engine = Engine::open(&place.path("d"), EngineOptions::default()).unwrap();
    let topic = TopicName::new("word-count-counts-repartition").unwrap();
    engine
        .client()
        .create_topic(&topic, 1, TopicSettings { internal: true, ..TopicSettings::default() })
        .unwrap();
    engine.close().unwrap();
    let reset = place.run("streams reset word-count --force --data d").succeeds();
    assert_eq!(reset.text(), "reset word-count; dropped its positions and no stores\n");
    assert_eq!(place.run("topic list --internal --data d").succeeds().text().matches("internal").count(), 0);
}

#[test]
fn a_record_that_is_too_large_to_count_is_named_and_can_be_left_out() {
    let place = Place::with_topic("text", 1);
    place.write(
        "t.yaml",
        "topology: t\nsteps: [{from: text}, {group_by: value}, {count: {store: s}}, {to: c}]\n",
    );
    let largest = "x".repeat(15_728_620);
    let lines: String = (0..50).map(|i| format!("line{}\n", i % 7)).collect();
    place
        .pipe(format!("{lines}{largest}\n{lines}{largest}\n").as_bytes(), "produce text --data d")
        .succeeds();
    let parts = [
        "the record at offset 50 of partition 0 of topic 'text' cannot be processed",
        "--skip-failed leaves",
    ];
    for _ in 0..2 {
        place.run("streams run t.yaml --until-idle --data d").fails(1, &parts);
    }
    let run = place.run("streams run t.yaml --until-idle --skip-failed --json --data d").succeeds();
    assert!(run.stderr.contains("note: skipped: the record at offset "), "{}", run.stderr);
    assert_eq!(run.json()["records_failed"], json!(2));
    let mut counts = BTreeMap::new();
    for record in place.run("consume c --value-format i64 --json --data d").json_lines() {
        counts.insert(record["key"].as_str().unwrap().to_owned(), record["value"].as_i64().unwrap());
    }
    let expected = (0..7).map(|i| (format!("line{i}"), if i == 0 { 16 } else { 14 }));
    assert_eq!(counts, expected.collect::<BTreeMap<_, _>>());
    // Left out is read: no later run meets it.
    place.run("streams run t.yaml --until-idle --data d").succeeds();
}
