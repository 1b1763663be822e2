//! Topology files: what they mean, and what is said of wrong ones.

use thalweg_streams::serdes::Bytes;
use thalweg_streams::yaml::YamlTopology;
use thalweg_streams::{StreamsBuilder, words};

const WORD_COUNT: &str = include_str!("../examples/word_count.yaml");

fn error(text: &str) -> String {
    YamlTopology::parse(text).unwrap_err().to_string()
}

/// The error of a file whose steps are `steps`, the first of them on line 3.
fn step_error(steps: &str) -> String {
    error(&format!("topology: t\nsteps:\n{steps}"))
}

/// Runs the test of a file whose steps are `steps`, and returns the failure's message.
fn outcome(steps: &str, test: &str) -> Vec<String> {
    let file = YamlTopology::parse(&format!("topology: t\nsteps: {steps}\ntests: [{test}]")).unwrap();
    file.run_tests().iter().map(ToString::to_string).collect()
}

fn passes(steps: &str, test: &str) {
    assert_eq!(outcome(steps, test), Vec::<String>::new(), "{steps}");
}

#[test]
fn the_file_compiles_to_the_graph_that_the_builder_makes() {
    let file = YamlTopology::parse(WORD_COUNT).unwrap();
    let builder = StreamsBuilder::new();
    let words = builder.stream::<Bytes, Bytes>("lines").flat_map_values(words());
    words.group_by::<Bytes>(|_, word| word).count("counts").to_stream().to("word-counts");
    let built = builder.build("word-count").unwrap();
    assert_eq!(file.topology().describe(), built.describe());
    assert_eq!(file.topology().mermaid(), built.mermaid());
    assert_eq!(file.tests().len(), 1);
    assert!(file.run_tests().is_empty());
}

#[test]
fn a_failing_test_says_what_was_expected_and_what_was_found() {
    let steps = "[{from: lines}, {flat_map: words}, {group_by: value}, {count: {store: c}}, {to: out}]";
    let run = |test: &str| outcome(steps, test).join("\n");
    assert_eq!(
        run("{name: two, in: [a a], out: {a: 3}}"),
        "test two: topic 'out': key 'a': expected '3', found '2'"
    );
    assert_eq!(run("{in: [a b], out: {a: 1}}"), "test 1: topic 'out': key 'b': expected nothing, found '1'");
    assert_eq!(
        run("{in: [a], out: {a: 1, b: 1}}"),
        "test 1: topic 'out': key 'b': expected '1', found nothing"
    );
    assert_eq!(
        run("{in: [a b], out: [1, 2]}"),
        r#"test 1: topic 'out': expected ["1", "2"], found ["1", "1"]"#
    );
    assert_eq!(run("{in: [a b], out: [1, 1]}"), "");
}

#[test]
fn built_in_steps_do_what_they_say() {
    passes("[{from: a}, {flat_map: words}, {to: b}]", "{in: ['Äb c_1-2'], out: [b, c_1, '2']}");
    passes("[{from: a}, {flat_map: unicode_words}, {to: b}]", "{in: ['Äb c_1-2'], out: [äb, c_1, '2']}");
    passes("[{from: a}, {flat_map: lines}, {to: b}]", r#"{in: ["x y\r\n\nz\n"], out: [x y, "", z]}"#);
    passes("[{from: a}, {map_values: lowercase}, {to: b}]", "{in: ['ÄB'], out: [äb]}");
    passes("[{from: a}, {map_values: uppercase}, {to: b}]", "{in: ['äb'], out: [ÄB]}");
    passes("[{from: a}, {map_values: trim}, {to: b}]", "{in: ['  x  '], out: [x]}");
    passes("[{from: a}, {select_key: value}, {to: b}]", "{in: [x], out: {x: x}}");
    passes("[{from: [a, b]}, {to: c}]", "{in: {a: [x], b: [y]}, out: [x, y]}");
    passes(
        "[{from: a}, {group_by: key}, {count: {store: s}}, {map_values: text}, {to: b}]",
        "{in: [{key: k, value: x}, {key: k, value: y}, {value: z}], out: {k: '2'}}",
    );
    let reduce = |with: &str| {
        format!("[{{from: a}}, {{group_by: key}}, {{reduce: {{store: s, with: {with}}}}}, {{to: b}}]")
    };
    let records = "in: [{key: k, value: b}, {key: k, value: c}, {key: k, value: a}]";
    for (with, result) in [("first", "b"), ("last", "a"), ("min", "a"), ("max", "c")] {
        passes(&reduce(with), &format!("{{{records}, out: {{k: {result}}}}}"));
    }
    passes(
        "[{from: a}, {group_by: value}, {count: {store: s}}, {group_by: key}, {reduce: {store: r, with: sum}}, {to: b}]",
        "{in: [x, x, y], out: {x: 2, y: 1}}",
    );
}

#[test]
fn predicates_hold_for_what_they_say() {
    let kept = |predicate: &str, out: &str| {
        let steps = format!("[{{from: a}}, {{filter: {predicate}}}, {{to: b}}]");
        passes(&steps, &format!("{{in: [apple, {{key: k1, value: banana}}, ''], out: {out}}}"));
    };
    kept("{contains: an}", "[banana]");
    kept("{starts_with: app}", "[apple]");
    kept("{ends_with: a}", "[banana]");
    kept("{equals: apple}", "[apple]");
    kept("{min_length: 1}", "[apple, banana]");
    kept("{max_length: 5}", "[apple, '']");
    kept("{key: {starts_with: k}}", "[banana]");
    kept("{not: {key: {equals: k1}}}", "[apple, '']");
    kept("{all: [{contains: a}, {contains: p}]}", "[apple]");
    kept("{any: [{contains: n}, {equals: ''}]}", "[banana, '']");
    passes(
        "[{from: a}, {group_by: value}, {count: {store: s}}, {filter: {at_least: 2}}, {filter_not: {at_least: 3}}, {to: b}]",
        "{in: [x, x, y, z, z, z], out: {x: 2}}",
    );
}

#[test]
fn streams_are_named_branched_and_merged() {
    let steps = "[{from: a}, {branch: [{as: e, when: {contains: E}}, {as: w, when: {contains: W}}, {as: rest}]}, \
                 {use: e}, {map_values: lowercase}, {merge: w}, {to: b}, {use: rest}, {to: c}]";
    passes(steps, "{in: [E1, W1, x], out: {b: [e1, W1], c: [x]}}");
    passes(
        "[{from: a}, {as: one}, {map_values: uppercase}, {merge: [one, one]}, {to: b}]",
        "{in: [x], out: [X, x, x]}",
    );
}

#[test]
fn unknown_names_are_refused_with_place_and_nearest_name() {
    assert_eq!(
        error("topology: t\nstep: []\n"),
        "line 2, column 1: unknown key of a topology file 'step'; did you mean 'steps'? (known: topology, \
         description, guarantee, steps, tests)"
    );
    assert_eq!(
        step_error("  - from: a\n  - flat_mapp: words\n"),
        "line 4, column 5: unknown step 'flat_mapp'; did you mean 'flat_map'? (known: from, flat_map, map_values, \
         filter, filter_not, select_key, group_by, count, reduce, as, use, merge, branch, to)"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {flat_map: wrods}\n"),
        "line 4, column 16: unknown flat map 'wrods'; did you mean 'words'? (known: words, unicode_words, lines)"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {group_by: value}\n  - {count: {stroe: x}}\n"),
        "line 5, column 14: unknown key of count 'stroe'; did you mean 'store'? (known: store)"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {filter: {not: {contians: x}}}\n"),
        "line 4, column 21: unknown predicate 'contians'; did you mean 'contains'? (known: contains, starts_with, \
         ends_with, equals, min_length, max_length, at_least, at_most, key, not, all, any)"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {as: errors}\n  - {use: eror}\n"),
        "line 5, column 11: unknown stream 'eror'; did you mean 'errors'? (known: errors)"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {merge: x}\n"),
        "line 4, column 13: unknown stream 'x' (known: none)"
    );
    assert_eq!(
        error("topology: t\nguarantee: at_least_once\nsteps: []\n"),
        "line 2, column 12: unknown guarantee 'at_least_once' (known: exactly_once)"
    );
}

#[test]
fn steps_in_the_wrong_place_are_refused() {
    assert_eq!(
        step_error("  - {flat_map: words}\n"),
        "line 3, column 6: 'flat_map' has no stream to go on from; begin with 'from' or 'use'"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {group_by: key}\n  - {to: b}\n"),
        "line 5, column 6: 'to' follows 'group_by'; 'count' or 'reduce' must follow it"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {count: {store: s}}\n"),
        "line 4, column 6: 'count' needs a 'group_by' before it"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {group_by: key}\n"),
        "line 3, column 3: the last step is 'group_by'; 'count' or 'reduce' must follow"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {branch: [{as: x}, {as: y}]}\n"),
        "line 4, column 15: only the last branch may do without 'when'"
    );
}

#[test]
fn kinds_of_values_are_checked() {
    let counted = "  - {from: a}\n  - {group_by: value}\n  - {count: {store: s}}\n";
    let after = |step: &str| step_error(&format!("{counted}  - {step}\n"));
    assert_eq!(
        after("{flat_map: words}"),
        "line 6, column 6: 'flat_map' needs text values, but here are numbers"
    );
    assert_eq!(
        after("{filter: {contains: x}}"),
        "line 6, column 15: 'contains' needs text values, but here are numbers"
    );
    assert_eq!(
        after("{map_values: trim}"),
        "line 6, column 18: 'trim' needs text values, but here are numbers"
    );
    assert_eq!(
        after("{group_by: value}"),
        "line 6, column 16: 'group_by: value' needs text values, but here are numbers"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {filter: {at_least: 1}}\n"),
        "line 4, column 15: 'at_least' needs numbers, but here are text values"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {filter: {contains: 5}}\n"),
        "line 4, column 25: contains must be text; put it in quotes"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {filter: {min_length: -1}}\n"),
        "line 4, column 27: min_length must not be negative"
    );
    assert_eq!(
        step_error("  - from: a\n  - as: t\n  - group_by: key\n  - count: {store: s}\n  - merge: t\n"),
        "line 7, column 12: a stream of text values cannot be merged into one of numbers"
    );
}

#[test]
fn what_the_builder_refuses_is_refused() {
    assert_eq!(
        step_error("  - {from: a}\n"),
        "line 3, column 3: the topology writes no topic and keeps no store"
    );
    assert_eq!(step_error("  - {from: a}\n  - {to: a}\n"), "line 3, column 3: topics form a cycle: a -> a");
    let twice = "  - {from: a}\n  - {group_by: key}\n  - {count: {store: s}}\n";
    assert_eq!(step_error(&format!("{twice}{twice}")), "line 8, column 21: store 's' is defined twice");
    assert_eq!(
        step_error("  - {from: a b}\n"),
        "line 3, column 12: a topic name holds ' '; allowed are letters, digits, '.', '_' and '-'"
    );
    assert_eq!(
        error("topology: a/b\nsteps: []"),
        "line 1, column 11: topology name 'a/b' is not 1 to 100 characters of letters, digits, '.', '_' and '-'"
    );
}

#[test]
fn what_is_not_a_topology_file_is_refused() {
    assert_eq!(error(""), "line 1, column 1: a topology file must be a map");
    assert_eq!(error("steps: []"), "line 1, column 1: a topology file needs 'topology: NAME'");
    assert_eq!(error("topology: t"), "line 1, column 1: a topology file needs 'steps: [...]'");
    assert_eq!(
        error("topology: 5"),
        "line 1, column 11: the name of the topology must be text; put it in quotes"
    );
    assert_eq!(error("topology: t\nsteps: 5"), "line 2, column 8: steps must be a list");
    assert_eq!(step_error("  - {from: a, to: b}\n"), "line 3, column 5: a step has one key, this one has 2");
    assert_eq!(
        error("topology: t\ntopology: u\n"),
        "line 1, column 1: duplicate entry with key \"topology\""
    );
    assert_eq!(error("topology: [\n"), "line 2, column 1: did not find expected node content");
}

#[test]
fn limits_are_kept() {
    let steps = "  - {from: a}\n".repeat(1001);
    assert_eq!(step_error(&steps), "line 3, column 3: 1001 steps; the limit is 1000");
    let nested = format!("{}{{contains: x}}{}", "{not: ".repeat(8), "}".repeat(8));
    assert_eq!(
        step_error(&format!("  - {{from: a}}\n  - {{filter: {nested}}}\n")),
        "line 4, column 62: predicates are nested deeper than 8"
    );
    let large = format!("topology: t\ndescription: {}", "x".repeat(1 << 20));
    assert_eq!(error(&large), "line 1, column 1: 1048601 bytes; the limit is 1048576");
}

#[test]
fn nesting_is_refused_where_it_becomes_too_deep() {
    let too_deep = "too many lists and maps inside of one another";
    assert_eq!(error(&format!("a:\n  {}", "[".repeat(500_000))), format!("line 2, column 1003: {too_deep}"));
    assert_eq!(error(&"{a: ".repeat(200_000)), format!("line 1, column 4001: {too_deep}"));
    for indicator in ["- ", "? "] {
        assert_eq!(error(&indicator.repeat(500_000)), format!("line 1, column 2001: {too_deep}"));
    }
    for depth in [200, 1000] {
        let nested = format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(error(&nested).contains("recursion limit exceeded"), "{}", error(&nested));
    }
    let mut bomb = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for step in 1..9 {
        let item = format!("*a{}", step - 1);
        bomb += &format!("b{step}: &a{step} [{}]\n", [item.as_str(); 10].join(", "));
    }
    assert!(error(&bomb).contains("repetition limit exceeded"), "{}", error(&bomb));
}

#[test]
fn what_is_odd_in_a_file_is_said_with_its_place() {
    let sound = "topology: t\nsteps: [{from: a}, {to: b}]\n";
    YamlTopology::parse(&format!("\u{feff}{sound}")).unwrap();
    YamlTopology::parse(&sound.replace('\n', "\r\n")).unwrap();
    YamlTopology::parse(&format!("---\n{sound}...\n")).unwrap();
    assert_eq!(
        error("topology: t\nsteps: [{from: a\u{7}}]"),
        "line 2, column 17: control character U+0007; in double quotes it may be written \\u0007"
    );
    assert_eq!(
        step_error("  - {from: a}\n  - {\"\\e[31mred\\u202e\": 1}\n").split(" (known").next(),
        Some("line 4, column 6: unknown step '\\u{1b}[31mred\\u{202e}'")
    );
    let aliased = "topology: t\nsteps: [{from: &topic a}, {to: b}]\ntests: [{in: [*topic], out: [*topic]}]\n";
    assert!(YamlTopology::parse(aliased).unwrap().run_tests().is_empty());
}

#[test]
fn steps_that_name_nothing_or_something_twice_are_refused() {
    assert_eq!(
        step_error("  - {from: a}\n  - {branch: []}\n"),
        "line 4, column 14: 'branch' has no branches"
    );
    assert_eq!(step_error("  - {from: [a, b, a]}\n"), "line 3, column 19: 'from' names topic 'a' twice");
}

#[test]
fn internal_topics_are_neither_read_nor_written() {
    let own = "  - {from: t-s-repartition}\n  - {group_by: value}\n  - {count: {store: s}}\n  - {to: b}\n";
    assert_eq!(
        step_error(own),
        "line 3, column 12: topic 't-s-repartition': names that end in '-repartition' are internal topics of \
         topologies"
    );
    assert!(step_error("  - {from: [a, x-repartition]}\n").starts_with("line 3, column 16: topic 'x-rep"));
    assert!(
        step_error("  - {from: a}\n  - {to: x-repartition}\n").starts_with("line 4, column 10: topic 'x-")
    );
}

#[test]
fn tests_in_files_are_checked() {
    let test_error =
        |test: &str| error(&format!("topology: t\nsteps: [{{from: a}}, {{to: b}}]\ntests:\n  - {test}\n"));
    assert_eq!(
        test_error("{in: [x], uot: [x]}"),
        "line 4, column 15: unknown key of a test 'uot'; did you mean 'out'? (known: name, in, out)"
    );
    assert_eq!(test_error("{in: [x]}"), "line 4, column 5: a test needs 'in' and 'out'");
    assert_eq!(
        test_error("{in: [5], out: [x]}"),
        "line 4, column 11: a record must be text; put it in quotes"
    );
    let two = "topology: t\nsteps: [{from: a}, {to: b}, {to: c}]\ntests:\n  - {in: [x], out: {bb: [x]}}\n";
    assert_eq!(error(two), "line 4, column 21: unknown topic written 'bb'; did you mean 'b'? (known: b, c)");
}

#[test]
fn steps_of_which_nothing_comes_are_refused_where_others_begin() {
    let refused = |steps: &str, place: &str, name: &str| {
        let message = format!("nothing comes of the steps before this '{name}'; end them with 'to' or 'as'");
        assert_eq!(step_error(steps), format!("{place}: {message}"));
    };
    refused("  - {from: a}\n  - {from: b}\n  - {to: c}\n", "line 4, column 6", "from");
    refused("  - {from: a}\n  - {as: x}\n  - {map_values: trim}\n  - {use: x}\n", "line 6, column 6", "use");
    refused("  - {from: a}\n  - {group_by: key}\n  - {from: b}\n  - {to: c}\n", "line 5, column 6", "from");
    passes("[{from: a}, {as: x}, {from: b}, {merge: x}, {to: c}]", "{in: {a: [x], b: [y]}, out: [x, y]}");
    passes(
        "[{from: a}, {group_by: key}, {count: {store: s}}, {from: b}, {to: c}]",
        "{in: {b: [y]}, out: [y]}",
    );
}
