//! What each operator does, by the test driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thalweg_engine::model::{Header, Record, Timestamp};
use thalweg_streams::driver::{DriverOptions, TestDriver};
use thalweg_streams::serdes::{Bytes, I64, Utf8};
use thalweg_streams::{PlanOptions, StreamsBuilder, Topology};

fn record(at: i64, key: Option<&str>, value: Option<&str>) -> Record {
    let bytes = |text: &str| text.as_bytes().to_vec();
    Record { timestamp: Timestamp(at), key: key.map(bytes), value: value.map(bytes), headers: Vec::new() }
}

/// Runs `inputs` through `topology` and returns what it wrote to topic `out`, as `key=value`.
fn run(topology: Topology, inputs: &[(Option<&str>, Option<&str>)]) -> Vec<String> {
    let mut driver = TestDriver::new(topology);
    for (at, (key, value)) in (0..).zip(inputs) {
        driver.pipe("in", &record(at, *key, *value)).unwrap();
    }
    driver.commit().unwrap();
    driver.read("out").iter().map(show).collect()
}

fn show(record: &Record) -> String {
    let text = |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => "-".to_owned(),
    };
    format!("{}={}", text(&record.key), text(&record.value))
}

/// Reads `in` as text, applies `with`, and builds.
fn built(with: impl FnOnce(&StreamsBuilder, thalweg_streams::KStream<Utf8, Utf8>)) -> Topology {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<Utf8, Utf8>("in");
    with(&builder, stream);
    builder.build("test").unwrap()
}

const PAIRS: &[(Option<&str>, Option<&str>)] =
    &[(Some("a"), Some("one two")), (None, Some("three")), (Some("b"), None), (Some("a"), Some("four"))];

#[test]
fn records_pass_unchanged_from_source_to_sink() {
    let topology = built(|_, stream| stream.to("out"));
    assert_eq!(run(topology, PAIRS), ["a=one two", "-=three", "b=-", "a=four"]);
}

#[test]
fn timestamps_and_headers_pass_from_source_to_sink() {
    let topology = built(|_, stream| stream.map_values::<Utf8>(|text| text.to_uppercase()).to("out"));
    let mut driver = TestDriver::new(topology);
    let headers = vec![Header { name: "h".to_owned(), value: Some(b"v".to_vec()) }];
    let input = Record { headers, ..record(77, Some("k"), Some("v")) };
    driver.pipe("in", &input).unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.read("out"), [Record { value: Some(b"V".to_vec()), ..input }]);
}

#[test]
fn filter_keeps_what_matches_and_drops_records_without_a_value() {
    let topology = built(|_, stream| stream.filter(|_, text| text.contains('o')).to("out"));
    assert_eq!(run(topology, PAIRS), ["a=one two", "a=four"]);
}

#[test]
fn filter_not_keeps_what_does_not_match() {
    let topology = built(|_, stream| stream.filter_not(|key, _| key == Some("a")).to("out"));
    assert_eq!(run(topology, PAIRS), ["-=three"]);
}

#[test]
fn map_makes_new_keys_and_values() {
    let topology = built(|_, stream| {
        let mapped = stream
            .map::<Utf8, Utf8>(|key, text| (format!("<{}>", key.unwrap_or("none")), text.len().to_string()));
        mapped.to("out");
    });
    assert_eq!(run(topology, PAIRS), ["<a>=7", "<none>=5", "<a>=4"]);
}

#[test]
fn map_values_keeps_keys_and_hands_on_records_without_a_value() {
    let topology = built(|_, stream| {
        stream
            .map_values::<Utf8>(|text| text.to_uppercase())
            .map_values_ref::<Utf8>(|text| &text[1..])
            .to("out");
    });
    assert_eq!(run(topology, PAIRS), ["a=NE TWO", "-=HREE", "b=-", "a=OUR"]);
}

#[test]
fn flat_map_makes_any_number_of_records() {
    let topology = built(|_, stream| {
        let pairs = stream.flat_map::<Utf8, Utf8>(|key, text, out| {
            for word in text.split(' ').filter(|word| word.len() < 5) {
                out.emit(word, key.unwrap_or("none"));
            }
        });
        pairs.to("out");
    });
    assert_eq!(run(topology, PAIRS), ["one=a", "two=a", "four=a"]);
}

#[test]
fn flat_map_values_keeps_keys() {
    let topology = built(|_, stream| {
        stream.flat_map_values::<Utf8>(|text, out| text.split(' ').for_each(|word| out.emit(word))).to("out");
    });
    assert_eq!(run(topology, PAIRS), ["a=one", "a=two", "-=three", "a=four"]);
}

#[test]
fn select_key_borrows_from_the_value() {
    let topology = built(|_, stream| stream.select_key::<Utf8>(|_, text| &text[..1]).to("out"));
    assert_eq!(run(topology, PAIRS), ["o=one two", "t=three", "f=four"]);
}

#[test]
fn peek_sees_each_value_once_and_changes_nothing() {
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let topology = built(move |_, stream| {
        let peeked = stream.peek(move |_, text| {
            counter.fetch_add(text.len() as u64, Ordering::Relaxed);
        });
        peeked.to("out");
    });
    assert_eq!(run(topology, PAIRS), ["a=one two", "-=three", "b=-", "a=four"]);
    assert_eq!(seen.load(Ordering::Relaxed), 16);
}

#[test]
fn peek_without_a_sink_runs() {
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let topology = built(move |_, stream| {
        stream.peek(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    });
    assert!(run(topology, PAIRS).is_empty());
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}

#[test]
fn merge_takes_records_of_both_streams() {
    let topology = built(|_, stream| {
        let upper = stream.map_values::<Utf8>(|text| text.to_uppercase());
        stream.filter(|_, text| text.len() == 4).merge(&upper).to("out");
    });
    assert_eq!(run(topology, PAIRS), ["a=ONE TWO", "-=THREE", "b=-", "a=FOUR", "a=four"]);
}

#[test]
fn merge_takes_records_of_two_topics() {
    let builder = StreamsBuilder::new();
    builder.stream::<Utf8, Utf8>("in").merge(&builder.stream::<Utf8, Utf8>("more")).to("out");
    let mut driver = TestDriver::new(builder.build("test").unwrap());
    driver.pipe_text("in", None, "1").unwrap();
    driver.pipe_text("more", None, "2").unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.read("out").iter().map(show).collect::<Vec<_>>(), ["-=1", "-=2"]);
}

#[test]
fn each_record_goes_to_the_first_branch_that_takes_it() {
    let builder = StreamsBuilder::new();
    let mut split = builder.stream::<Utf8, Utf8>("in").split();
    split.branch(|_, text| text.contains('t')).to("out");
    split.branch(|_, text| text.contains('r')).to("second");
    split.default_branch().to("rest");
    let mut driver = TestDriver::new(builder.build("test").unwrap());
    for (key, value) in PAIRS {
        driver.pipe("in", &record(0, *key, *value)).unwrap();
    }
    driver.pipe_text("in", None, "x").unwrap();
    driver.commit().unwrap();
    let mut read = |topic| driver.read(topic).iter().map(show).collect::<Vec<_>>();
    assert_eq!(read("out"), ["a=one two", "-=three"]);
    assert_eq!(read("second"), ["a=four"]);
    assert_eq!(read("rest"), ["b=-", "-=x"]);
}

#[test]
fn records_of_another_format_are_counted_and_skipped() {
    let builder = StreamsBuilder::new();
    builder.stream::<Utf8, I64>("in").map_values::<I64>(|number| number + 1).to("out");
    let mut driver = TestDriver::new(builder.build("test").unwrap());
    driver.pipe_text("in", None, "not a number").unwrap();
    let number = Record { value: Some(41i64.to_be_bytes().to_vec()), ..Record::default() };
    driver.pipe("in", &number).unwrap();
    driver.pipe("in", &Record { key: Some(vec![0xFF]), ..number }).unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.read("out").len(), 1);
    assert_eq!(driver.counters().records_undecodable, 2);
    assert_eq!(driver.counters().records_in, 3);
}

fn counts(driver: &mut TestDriver) -> Vec<(String, i64, i64)> {
    let decode = |record: Record| {
        let value = i64::from_be_bytes(record.value.unwrap().try_into().unwrap());
        (String::from_utf8(record.key.unwrap()).unwrap(), value, record.timestamp.0)
    };
    driver.read("out").into_iter().map(decode).collect()
}

#[test]
fn count_tells_of_each_changed_key_once_per_commit_with_the_latest_timestamp() {
    let topology = built(|_, stream| stream.group_by_key().count("counts").to_stream().to("out"));
    let mut driver = TestDriver::new(topology);
    for (at, key) in [(5, "a"), (9, "b"), (7, "a"), (6, "a")] {
        driver.pipe("in", &record(at, Some(key), Some("x"))).unwrap();
    }
    assert!(driver.read("out").is_empty(), "nothing is visible before the commit");
    driver.commit().unwrap();
    assert_eq!(counts(&mut driver), [("a".to_owned(), 3, 7), ("b".to_owned(), 1, 9)]);
    driver.pipe("in", &record(20, Some("b"), Some("x"))).unwrap();
    driver.pipe("in", &record(21, None, Some("x"))).unwrap();
    driver.commit().unwrap();
    assert_eq!(counts(&mut driver), [("b".to_owned(), 2, 20)]);
    assert_eq!(driver.counters().records_incomplete, 1);
    assert_eq!(driver.store("counts")[&b"a"[..]], 3i64.to_be_bytes());
}

#[test]
fn commits_come_with_the_clock() {
    let topology = built(|_, stream| stream.group_by_key().count("counts").to_stream().to("out"));
    let mut driver = TestDriver::new(topology);
    let millisecond = std::time::Duration::from_millis(1);
    driver.pipe("in", &record(0, Some("a"), Some("x"))).unwrap();
    driver.advance(99 * millisecond).unwrap();
    assert!(counts(&mut driver).is_empty());
    driver.pipe("in", &record(0, Some("a"), Some("x"))).unwrap();
    driver.advance(millisecond).unwrap();
    assert_eq!(counts(&mut driver).len(), 1);
    driver.advance(1000 * millisecond).unwrap();
    assert!(counts(&mut driver).is_empty());
}

/// Word count over `partitions`, with a crash after every tenth line; returns the final counts as text.
fn count_words(combine: bool, partitions: u32, commit_size_target: usize) -> Vec<String> {
    let builder = StreamsBuilder::new();
    let words = builder.stream::<Utf8, Bytes>("in").flat_map_values(thalweg_streams::words());
    words.group_by::<Bytes>(|_, word| word).count("counts").to_stream().to("out");
    let options = PlanOptions { combine_before_repartition: combine };
    let topology = builder.build_with("test", options).unwrap();
    let options = DriverOptions { partitions, commit_size_target, ..DriverOptions::default() };
    let mut driver = TestDriver::with_options(topology, options);
    for line in 0..100u64 {
        let text: Vec<String> = (0..line % 13).map(|word| format!("w{}", line * word % 17)).collect();
        driver.pipe_text("in", Some(&line.to_string()), &text.join(" ")).unwrap();
        match line % 10 {
            4 => driver.commit().unwrap(),
            9 => driver.restart().unwrap(),
            _ => {}
        }
    }
    driver.commit().unwrap();
    let mut latest = std::collections::BTreeMap::new();
    for (key, count, _) in counts(&mut driver) {
        let before = latest.insert(key, count);
        assert!(before.is_none_or(|before| before < count), "counts grow");
    }
    let stored = driver.store("counts");
    assert_eq!(stored.len(), latest.len());
    for (key, count) in &latest {
        assert_eq!(stored[key.as_bytes()], count.to_be_bytes());
    }
    latest.into_iter().map(|(key, count)| format!("{key}={count}")).collect()
}

#[test]
fn counts_do_not_depend_on_combining_partitions_or_commits() {
    let mut expected = std::collections::BTreeMap::new();
    for line in 0..100u64 {
        for word in 0..line % 13 {
            *expected.entry(format!("w{}", line * word % 17)).or_insert(0) += 1;
        }
    }
    let expected: Vec<String> = expected.into_iter().map(|(key, count)| format!("{key}={count}")).collect();
    for combine in [true, false] {
        for partitions in [1, 3] {
            for commit_size_target in [100, 1 << 20] {
                let found = count_words(combine, partitions, commit_size_target);
                assert_eq!(found, expected, "{combine} {partitions} {commit_size_target}");
            }
        }
    }
}

#[test]
fn reduce_keeps_one_value_per_key_across_commits_and_repartitions() {
    for combine_before_repartition in [true, false] {
        let builder = StreamsBuilder::new();
        let lengths = builder
            .stream::<Utf8, Utf8>("in")
            .map::<Utf8, I64>(|_, text| (text[..1].to_owned(), text.len() as i64));
        lengths.group_by_key().reduce("longest", |a, b| *a.max(b)).to_stream().to("out");
        let options = PlanOptions { combine_before_repartition };
        let mut driver = TestDriver::new(builder.build_with("test", options).unwrap());
        for text in ["aa", "b", "aaaa", "aaa"] {
            driver.pipe_text("in", None, text).unwrap();
        }
        driver.commit().unwrap();
        assert_eq!(counts(&mut driver), [("a".to_owned(), 4, 0), ("b".to_owned(), 1, 0)]);
        driver.pipe_text("in", None, "bb").unwrap();
        driver.pipe_text("in", None, "a").unwrap();
        driver.commit().unwrap();
        assert_eq!(counts(&mut driver), [("b".to_owned(), 2, 0), ("a".to_owned(), 4, 0)]);
    }
}

#[test]
fn reduce_of_text_concatenates_in_order() {
    let topology = built(|_, stream| {
        stream.group_by_key().reduce("all", |a, b| format!("{a},{b}")).to_stream().to("out");
    });
    assert_eq!(run(topology, PAIRS), ["a=one two,four"]);
}

#[test]
fn aggregate_folds_in_order_with_commits_between() {
    let topology = built(|_, stream| {
        let grouped = stream.group_by_key();
        let table = grouped.aggregate::<Utf8>(
            "log",
            || "begin".to_owned(),
            |key, value, log| format!("{log} {key}:{value}"),
        );
        table.to_stream().to("out");
    });
    let mut driver = TestDriver::new(topology);
    for value in ["1", "2"] {
        driver.pipe_text("in", Some("k"), value).unwrap();
    }
    driver.commit().unwrap();
    driver.pipe_text("in", Some("k"), "3").unwrap();
    driver.restart().unwrap();
    driver.pipe_text("in", Some("k"), "4").unwrap();
    driver.commit().unwrap();
    let found: Vec<String> = driver.read("out").iter().map(show).collect();
    assert_eq!(found, ["k=begin k:1 k:2", "k=begin k:1 k:2 k:3 k:4"]);
}

#[test]
fn an_aggregation_of_an_aggregation_is_told_once_per_commit() {
    let topology = built(|_, stream| {
        // How many keys have each count: counts only grow, so this counts changes.
        let counts = stream.group_by_key().count("counts").to_stream();
        counts.map::<I64, Utf8>(|_, count| (*count, String::new())).group_by_key().count("of-counts");
    });
    let mut driver = TestDriver::new(topology);
    for key in ["a", "b", "c", "a"] {
        driver.pipe_text("in", Some(key), "x").unwrap();
    }
    driver.commit().unwrap();
    let of_counts = driver.store("of-counts");
    assert_eq!(of_counts[&1i64.to_be_bytes()[..]], 2i64.to_be_bytes());
    assert_eq!(of_counts[&2i64.to_be_bytes()[..]], 1i64.to_be_bytes());
}

#[test]
fn an_input_with_more_effects_than_a_commit_holds_is_an_error() {
    let topology = built(|_, stream| {
        let many = stream.flat_map_values::<Utf8>(|text, out| (0..1 << 20).for_each(|_| out.emit(text)));
        many.to("out");
    });
    let mut driver = TestDriver::new(topology);
    let error = driver.pipe_text("in", None, "0123456789012345678901234567890").unwrap_err().to_string();
    assert_eq!(
        error,
        "task 0-0: the effects of an input need a commit of 57671936 bytes; the limit is 31457280"
    );
}

#[test]
fn pipe_refuses_a_topic_that_is_not_read() {
    let mut driver = TestDriver::new(built(|_, stream| stream.to("out")));
    let error = driver.pipe_text("out", None, "x").unwrap_err().to_string();
    assert_eq!(error, "the topology reads no topic 'out'; it reads: in");
}

#[test]
fn words_of_bytes_that_are_not_text_are_counted_as_an_independent_count_says() {
    let mut text = include_bytes!("../src/runner/task_loop.rs").to_vec();
    for at in (0..text.len()).step_by(37) {
        text[at] = (at * 7 % 256) as u8;
    }
    assert!(std::str::from_utf8(&text).is_err());
    let builder = StreamsBuilder::new();
    let words = builder.stream::<Bytes, Bytes>("in").flat_map_values(thalweg_streams::words());
    words.group_by::<Bytes>(|_, word| word).count("counts").to_stream().to("out");
    let mut driver = TestDriver::new(builder.build("test").unwrap());
    let mut expected = std::collections::BTreeMap::<Vec<u8>, Vec<u8>>::new();
    let mut counted = std::collections::BTreeMap::<Vec<u8>, i64>::new();
    for line in text.split(|byte| *byte == b'\n') {
        driver.pipe("in", &Record { value: Some(line.to_vec()), ..Record::default() }).unwrap();
        let mut word = Vec::new();
        for byte in line.iter().chain(b"\n") {
            match byte.to_ascii_lowercase() {
                lower @ (b'a'..=b'z' | b'0'..=b'9' | b'_') => word.push(lower),
                _ if word.is_empty() => {}
                _ => *counted.entry(std::mem::take(&mut word)).or_insert(0) += 1,
            }
        }
    }
    driver.commit().unwrap();
    expected.extend(counted.into_iter().map(|(word, count)| (word, count.to_be_bytes().to_vec())));
    assert!(expected.len() > 300);
    assert_eq!(driver.store("counts"), expected);
}
