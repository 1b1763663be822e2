//! `thalweg demo`.

use serde_json::json;

use super::common::Place;

#[test]
fn a_text_that_is_not_utf_8_is_counted_by_its_bytes() {
    let place = Place::new();
    place.write("a", b"One \xff\xfe two\xc3two\none\x80 O");
    place.write("b", b"one\n");
    let report = place.run("demo a b --copies 3 --shards 1 --top 2 --json").json();
    assert_eq!(
        (&report["words"], &report["distinct"], &report["copies"]),
        (&json!(18), &json!(3), &json!(3))
    );
    assert_eq!(report["top"], json!([["one", 9], ["two", 6]]));
    assert_eq!((&report["verified"], &report["shards"]), (&json!(true), &json!(1)));
    assert!(report["words_per_s"].as_f64().unwrap() > 0.0);
    assert!(!report["flush_method"].as_str().unwrap().is_empty());
    let piped = place.pipe(b"one two one", "demo - --shards 1 --json").json();
    assert_eq!(piped["top"], json!([["one", 2], ["two", 1]]));
    let left: Vec<_> =
        std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "its folder is gone: {left:?}");
}

#[test]
fn a_demo_that_is_interrupted_says_so_and_goes_on_when_started_again() {
    let place = Place::new();
    let text: String = (0..20_000).map(|i| format!("word{} and another one\n", i % 1000)).collect();
    place.write("text", &text);
    let mut running = place.start("demo text --copies 200 --data d --shards 1 --progress-interval-ms 1");
    running.await_saying("source position");
    let ended = running.interrupt();
    ended.fails(130, &["interrupted; start it again to go on"]);
    // One in a folder of its own takes it along.
    let mut running = place.start("demo text --copies 200 --shards 1 --progress-interval-ms 1");
    running.await_saying("source position");
    let ended = running.interrupt();
    assert!(!ended.stderr.contains("start it again"), "{ended:?}");
    ended.fails(130, &["interrupted"]);
    let report = place.run("demo text --copies 200 --data d --json").json();
    assert_eq!((&report["words"], &report["verified"]), (&json!(200 * 20_000 * 4), &json!(true)));
}

#[test]
fn texts_that_cannot_be_counted_are_refused_before_anything_is_made() {
    let place = Place::new();
    place.write("empty", b"");
    place.write("signs", b"--- \xff ---\n");
    place.write("word", vec![b'a'; (1 << 20) + 1]);
    place.run("demo nothing --data d").fails(3, &["\"nothing\" cannot be read"]);
    place.run("demo empty --data d").fails(2, &["no word"]);
    place.run("demo signs --data d").fails(2, &["no word"]);
    place.run("demo /dev/zero --data d").fails(2, &["larger than 268435456 bytes with \"/dev/zero\""]);
    place.run("demo . --data d").fails(3, &["\".\" cannot be read"]);
    place.pipe(b"-- --\n", "demo - --data d").fails(2, &["no word"]);
    place.run("demo word --data d").fails(2, &["\"word\" holds a word of more than 1048576 bytes"]);
    assert!(!place.path("d").exists());
}
