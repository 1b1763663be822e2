//! `thalweg produce` and `thalweg consume`.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;
use thalweg_engine::model::{BatchBuilder, Header, Timestamp, TopicName};
use thalweg_runtime::{Engine, EngineOptions};

use super::common::Place;

#[test]
fn records_with_keys_come_back_in_the_order_of_each_key() {
    let place = Place::new();
    place.run("topic create pairs --partitions 4 --data d --shards 2").succeeds();
    let lines: String = (0..5000).map(|i| format!("key{}::value{i}::x\n", i % 37)).collect();
    let appended = place.pipe(lines.as_bytes(), "produce pairs --key-separator :: --data d --json").json();
    assert_eq!(appended["records"], json!(5000));
    assert_eq!(appended["bytes"], json!(lines.len() - 5000));

    let records = place.run("consume pairs --data d --json").json_lines();
    assert_eq!(records.len(), 5000);
    let mut partitions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    for record in &records {
        let (key, partition) = (record["key"].as_str().unwrap(), record["partition"].as_u64().unwrap());
        assert_eq!(*partitions.entry(key).or_insert(partition), partition, "{key} is in two partitions");
        values.entry(key).or_default().push(record["value"].as_str().unwrap());
        let offset = next.entry(partition).or_default();
        assert_eq!(record["offset"].as_u64(), Some(*offset), "offsets are dense");
        *offset += 1;
        assert!(record["timestamp"].as_i64().unwrap() > 1_500_000_000_000);
        assert_eq!(record["headers"], json!([]));
    }
    assert_eq!(next.len(), 4, "37 keys fill every partition");
    assert_eq!(values.len(), 37);
    for number in 0..37 {
        let expected: Vec<String> = (number..5000).step_by(37).map(|i| format!("value{i}::x")).collect();
        assert_eq!(values[format!("key{number}").as_str()], expected, "key{number}");
    }
    // What was said of the offsets is what is there.
    let said = appended["partitions"].as_array().unwrap();
    assert_eq!(said.len(), 4);
    for row in said {
        let partition = row["partition"].as_u64().unwrap();
        assert_eq!((row["start"].as_u64(), row["end"].as_u64()), (Some(0), Some(next[&partition])));
    }
}

#[test]
fn lines_without_key_take_turns_and_a_partition_can_be_named() {
    let place = Place::with_topic("lines", 3);
    let lines: String = (0..2500).map(|i| format!("{i}\n")).collect();
    place.write("lines.txt", &lines);
    let said = place.run("produce lines --file lines.txt --data d").succeeds();
    assert_eq!(said.text(), format!("appended 2500 records of {} bytes to lines\n", lines.len() - 2500));
    place.pipe(b"one\ntwo", "produce lines --partition 2 --data d").succeeds();
    let described = place.run("topic describe lines --data d --json").json();
    let ends: Vec<_> = described["partitions"].as_array().unwrap().iter().map(|row| &row["end"]).collect();
    assert_eq!(ends, [1000, 1000, 502]);
    let last = place.run("consume lines --partition 2 --from 499 --data d").succeeds();
    assert_eq!(last.text(), "2499\none\ntwo\n", "the last line needs no end");
    place.run("produce lines --file / --data d").fails(3, &["/ cannot be read: is a directory"]);
    place.run("produce lines --file nothing.txt --data d").fails(3, &["nothing.txt cannot be read"]);
}

#[test]
fn a_part_of_a_topic_can_be_read() {
    let place = Place::with_topic("lines", 2);
    let lines: String = (0..1010).map(|i| format!("{i}\n")).collect();
    place.pipe(lines.as_bytes(), "produce lines --data d").succeeds();
    let text = |arguments: &str| place.run(&format!("consume lines --data d {arguments}")).succeeds().stdout;
    assert_eq!(text("--max 2"), b"0\n1\n");
    assert_eq!(text("--from 998"), b"998\n999\n", "the second partition ends before that");
    let beyond = place.run("consume lines --data d --from 998").succeeds();
    assert_eq!(beyond.stderr, "note: partition 1 ends at 10, before offset 998\n");
    let from_8: String = (8..1000).chain(1008..1010).map(|i| format!("{i}\n")).collect();
    assert_eq!(text("--from 8"), from_8.as_bytes(), "in each partition");
    assert_eq!(text("--partition 1 --max 3"), b"1000\n1001\n1002\n");
    assert_eq!(text("--from end"), b"");
    assert_eq!(text("--max 0"), b"");
}

#[test]
fn bytes_that_are_no_text_come_back_as_they_were() {
    let place = Place::with_topic("bytes", 1);
    let mut line: Vec<u8> = (0..=255).filter(|&byte| byte != b'\n').collect();
    line.push(b'\n');
    let mut input = line.clone();
    input.extend_from_slice(b"\n");
    input.extend_from_slice(&42i64.to_be_bytes());
    place.pipe(&input, "produce bytes --data d").succeeds();
    let mut expected = input.clone();
    expected.push(b'\n');
    assert_eq!(place.run("consume bytes --data d").succeeds().stdout, expected);
    let hex: String = line[..255].iter().map(|byte| format!("{byte:02x}")).collect();
    let printed = place.run("consume bytes --data d --value-format hex").succeeds();
    assert_eq!(printed.text(), format!("{hex}\n\n000000000000002a\n"));
    let records = place.run("consume bytes --data d --value-format i64 --json").json_lines();
    let values: Vec<_> = records.iter().map(|record| (&record["value"], &record["value_hex"])).collect();
    let null = &serde_json::Value::Null;
    assert_eq!(values, [(null, &json!(hex)), (null, &json!("")), (&json!(42), null)]);
}

#[test]
fn a_record_over_the_limit_is_refused_and_those_before_it_are_appended() {
    let place = Place::with_topic("lines", 1);
    let mut input = b"first\nsecond\n".to_vec();
    input.resize(input.len() + (15 << 20) + 1, b'a');
    input.extend_from_slice(b"\nlast\n");
    place
        .pipe(&input, "produce lines --data d")
        .fails(2, &["line 3 was refused: it is longer than the limit of 15728640 bytes", "the 2 before it"]);
    assert_eq!(place.run("consume lines --data d").succeeds().text(), "first\nsecond\n");
    // What a record takes beside the line is told apart from it.
    let whole = vec![b'b'; 15 << 20];
    place.pipe(&whole, "produce lines --data d").fails(
        2,
        &["line 1 was refused: it has 15728640 bytes and takes 20 more", "limit of 15728640 leaves 15728620"],
    );
    // One that is as large as a record may be goes through.
    let large = vec![b'b'; (15 << 20) - 100];
    place.pipe(&large, "produce lines --data d").succeeds();
    let read = place.run("consume lines --data d --from 2").succeeds();
    assert!(read.stdout.strip_suffix(b"\n") == Some(&large), "{} bytes came back", read.stdout.len());
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let place = Place::with_topic("lines", 1);
    let lines: String = (0..200_000).map(|i| format!("{i}\n")).collect();
    place.pipe(lines.as_bytes(), "produce lines --data d").succeeds();
    let (line, ended) = place.start("consume lines --data d").first_line();
    assert_eq!((line.as_str(), ended.code, ended.stderr.as_str()), ("0\n", 0, ""));
    let (line, ended) = place.start("consume lines --data d --json --max 1").first_line();
    assert!(line.contains("\"value\":\"0\""), "{line}");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn records_are_taken_as_json_with_bytes_that_are_no_text() {
    let place = Place::with_topic("pairs", 1);
    let lines = "{\"key\": \"k\", \"value\": \"v\", \"timestamp\": 7, \"headers\": [{\"name\": \"h\", \"value\": \"x\"}]}\n\
                 {\"value_base64\": \"AP8K\"}\n{\"key\": \"gone\"}\n";
    place.pipe(lines.as_bytes(), "produce pairs --format json --data d").succeeds();
    let read = place.run("consume pairs --json --value-format hex --data d").json_lines();
    let values: Vec<_> = read.iter().map(|record| (&record["key"], &record["value_hex"])).collect();
    let null = &serde_json::Value::Null;
    assert_eq!(values, [(&json!("k"), &json!("76")), (null, &json!("00ff0a")), (&json!("gone"), null)]);
    assert_eq!(
        (&read[0]["timestamp"], &read[0]["headers"]),
        (&json!(7), &json!([{"name": "h", "value": "x"}]))
    );
    // What is printed can be read again.
    let printed = place.run("consume pairs --json --max 1 --data d").succeeds().stdout;
    place.pipe(&printed, "produce pairs --format json --data d").succeeds();
    place
        .pipe(b"{\"value\": \"a\"}\n{\"vlaue\": 1}\n", "produce pairs --format json --data d")
        .fails(2, &["line 2 was refused: no such record: unknown field `vlaue`", "the 1 before it"]);
    assert_eq!(place.run("consume pairs --from 3 --data d").succeeds().text(), "k\tv\na\n");
}

#[test]
fn a_live_input_is_appended_when_it_pauses_and_when_the_command_is_ended() {
    let place = Place::with_topic("lines", 2);
    let (running, mut input) = place.start_fed("produce lines --data d");
    input.write_all(b"the first line\nthe second line\nhalf").unwrap();
    place.await_in_log(b"the second line");
    let ended = running.signal("-TERM");
    assert_eq!((ended.code, ended.text()), (130, "appended 2 records of 29 bytes to lines\n"), "{ended:?}");
    assert!(ended.stderr.contains("interrupted; what was read is appended"), "{ended:?}");
    assert!(ended.stderr.contains("a line of which 4 bytes had come was left out"), "{ended:?}");
    assert_eq!(place.run("consume lines --data d").succeeds().text(), "the first line\nthe second line\n");

    let (running, mut input) = place.start_fed("produce lines --partition 1 --json --data d");
    input.write_all(b"the third line\n").unwrap();
    place.await_in_log(b"the third line");
    let ended = running.interrupt();
    assert_eq!(ended.code, 130, "{ended:?}");
    let said: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&said["records"], &said["partitions"][0]["end"]), (&json!(1), &json!(1)));

    // Killed, it keeps what it had read before the pause.
    let (running, mut input) = place.start_fed("produce lines --data d");
    input.write_all(b"the last line\n").unwrap();
    place.await_in_log(b"the last line");
    running.kill();
    let read = place.run("consume lines --partition 0 --data d").succeeds();
    assert_eq!(read.text(), "the first line\nthe second line\nthe last line\n");
}

#[test]
fn consuming_begins_at_a_time() {
    let place = Place::with_topic("lines", 2);
    for (partition, times) in [(0, [1000, 3000, 2000]), (1, [500, 600, 700])] {
        let lines: String =
            times.iter().map(|time| format!("{{\"value\": \"{time}\", \"timestamp\": {time}}}\n")).collect();
        place
            .pipe(lines.as_bytes(), &format!("produce lines --format json --partition {partition} --data d"));
    }
    let from = |time: &str| {
        place.run(&format!("consume lines --from-time {time} --data d")).succeeds().text().to_owned()
    };
    assert_eq!(from("-5"), "1000\n3000\n2000\n500\n600\n700\n");
    assert_eq!(from("1970-01-01T00:00:00.6Z"), "1000\n3000\n2000\n600\n700\n");
    assert_eq!(from("1970-01-01T01:00:02+01:00"), "3000\n2000\n");
    assert_eq!(from("3001"), "");
    let refused = place.run("consume lines --from-time yesterday --data d");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("neither milliseconds since 1970 nor a time"), "{}", refused.stderr);
    assert_eq!(place.run("consume lines --from-time 5 --from end --data d").code, 2);
}

#[test]
fn what_is_printed_as_json_is_the_same_once_it_is_read_again() {
    let bytes: Vec<u8> = (0..=255).collect();
    let value = |at: usize| -> Option<&[u8]> {
        [
            None,
            Some(&[][..]),
            Some(&bytes),
            Some(b"text \\u0000 \"\n\x00"),
            Some(&bytes[120..128]),
            Some(&bytes[250..]),
        ][at]
    };
    let place = Place::with_topic("first", 1);
    place.run("topic create second --data d").succeeds();
    let engine = Engine::open(&place.path("d"), EngineOptions::default()).unwrap();
    let client = engine.client();
    let mut batch = BatchBuilder::new();
    let header = |name: &str, at| Header { name: name.to_owned(), value: value(at).map(<[u8]>::to_vec) };
    for (index, timestamp) in [i64::MIN, -1, 0, 7, i64::MAX, 9].into_iter().enumerate() {
        for at in 0..6 {
            let headers: Vec<Header> = (0..at).map(|at| header(&format!("header {at} \u{e9}"), at)).collect();
            batch.push(Timestamp(timestamp), value(index), value(at), &headers).unwrap();
        }
    }
    let first = client.topic(&TopicName::new("first").unwrap()).unwrap().unwrap();
    client.append(&first.partitions[0], batch.into_bytes()).wait().unwrap().unwrap();
    engine.close().unwrap();
    let formats = ["", " --key-format hex --value-format i64", " --key-format i64 --value-format hex"];
    for (index, formats) in formats.iter().enumerate() {
        let printed = place.run(&format!("consume first --json --data d{formats}")).succeeds().stdout;
        assert!(!String::from_utf8(printed.clone()).unwrap().contains('\u{fffd}'));
        place.pipe(&printed, "produce second --format json --data d").succeeds();
        let all = |topic: &str, from: usize| {
            let mut lines = place.run(&format!("consume {topic} --json --from {from} --data d")).json_lines();
            lines.iter_mut().for_each(|line| line["offset"] = json!(null));
            lines
        };
        assert_eq!(all("second", 36 * index), all("first", 0), "{formats}");
    }
}

#[test]
fn a_line_of_json_may_be_longer_than_its_record() {
    let place = Place::with_topic("lines", 1);
    let value = "\\u0000".repeat(6 << 20);
    place
        .pipe(format!("{{\"value\": \"{value}\"}}\n").as_bytes(), "produce lines --format json --data d")
        .succeeds();
    let read = place.run("consume lines --data d").succeeds();
    assert!(read.stdout[..6 << 20].iter().all(|byte| *byte == 0));
    assert_eq!(read.stdout.len(), (6 << 20) + 1);
    let (limit, mut long) = (6 * (15 << 20) + (1 << 20), b"{\"value\": \"".to_vec());
    long.resize(limit + 1, b'a');
    let said = format!("line 1 was refused: the line is longer than the limit of {limit} bytes");
    place.pipe(&long, "produce lines --format json --data d").fails(2, &[&said]);
    let record = format!("{{\"value\": \"{}\"}}\n", "a".repeat((15 << 20) + 1));
    place
        .pipe(record.as_bytes(), "produce lines --format json --data d")
        .fails(2, &["line 1 was refused: ", "15728640"]);
    place.pipe(b"[\"k\", null]\n", "produce lines --format json --data d").fails(2, &["expected an object"]);
}
