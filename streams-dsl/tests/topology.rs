//! What a topology says of itself, and what is refused before anything runs.

use thalweg_streams::serdes::{Bytes, I64, Utf8};
use thalweg_streams::{PlanOptions, StreamsBuilder, Topology, TopologyError, words};

fn word_count() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let words = builder.stream::<Bytes, Bytes>("lines").flat_map_values(words());
    words.group_by::<Bytes>(|_, word| word).count("counts").to_stream().to("word-counts");
    builder
}

#[test]
fn word_count_is_described() {
    let topology = word_count().build("wc").unwrap();
    assert_eq!(
        topology.describe(),
        "\
Topology: wc
   Sub-topology: 0
    Source: source-0 (topics: [lines])
      --> flat-map-values-1
    Processor: flat-map-values-1 (stores: [])
      --> group-by-2
      <-- source-0
    Processor: group-by-2 (stores: [])
      --> count-3-combine
      <-- flat-map-values-1
    Sink: count-3-combine (topic: wc-counts-repartition)
      <-- group-by-2

   Sub-topology: 1
    Source: count-3-source (topics: [wc-counts-repartition])
      --> count-3
    Processor: count-3 (stores: [counts])
      --> sink-4
      <-- count-3-source
    Sink: sink-4 (topic: word-counts)
      <-- count-3

"
    );
}

#[test]
fn word_count_is_drawn() {
    let topology = word_count().build("wc").unwrap();
    assert_eq!(
        topology.mermaid(),
        "\
flowchart LR
  subgraph sub0[\"sub-topology 0\"]
    n0[\"source-0\"]
    n1[\"flat-map-values-1\"]
    n2[\"group-by-2\"]
    n3[\"count-3-combine\"]
  end
  subgraph sub1[\"sub-topology 1\"]
    n4[\"count-3-source\"]
    n5[\"count-3\"]
    s5[(\"counts\")]
    n6[\"sink-4\"]
  end
  t_lines([\"lines\"])
  t_wc_2d_counts_2d_repartition([\"wc-counts-repartition\"])
  t_word_2d_counts([\"word-counts\"])
  t_lines --> n0
  n0 --> n1
  n1 --> n2
  n2 --> n3
  n3 --> t_wc_2d_counts_2d_repartition
  t_wc_2d_counts_2d_repartition --> n4
  n4 --> n5
  n5 --- s5
  n5 --> n6
  n6 --> t_word_2d_counts
"
    );
}

#[test]
fn a_topology_names_its_topics_and_stores() {
    let topology = word_count().build("wc").unwrap();
    assert_eq!(topology.external_topics(), (vec!["lines"], vec!["word-counts"]));
    assert_eq!(topology.internal_topics(), [("wc-counts-repartition", 0)]);
    assert_eq!(topology.stores(), [("counts", 1)]);
    assert_eq!(topology.topic_formats("word-counts"), Some(("bytes", "i64")));
    assert_eq!(topology.topic_formats("other"), None);
}

#[test]
fn without_combining_records_cross_the_repartition() {
    let options = PlanOptions { combine_before_repartition: false };
    let topology = word_count().build_with("wc", options).unwrap();
    assert!(topology.describe().contains("Sink: count-3-repartition (topic: wc-counts-repartition)"));
}

#[test]
fn keys_that_were_not_changed_need_no_repartition() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<Bytes, Utf8>("in").filter(|_, text| !text.is_empty());
    stream.map_values::<I64>(|text| text.len() as i64).group_by_key().count("c");
    let topology = builder.build("t").unwrap();
    assert_eq!(topology.sub_topologies().len(), 1);
    assert!(topology.internal_topics().is_empty());
}

#[test]
fn what_has_no_effect_is_left_out() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<Bytes, Utf8>("in");
    stream.map_values::<Utf8>(|text| text.to_uppercase());
    builder.stream::<Bytes, Utf8>("unused");
    stream.to("out");
    let topology = builder.build("t").unwrap();
    assert_eq!(topology.external_topics().0, ["in"]);
    assert!(!topology.describe().contains("map-values"));
}

fn refused(with: impl FnOnce(&StreamsBuilder)) -> TopologyError {
    let builder = StreamsBuilder::new();
    with(&builder);
    let built: Result<Topology, _> = builder.build("t");
    built.unwrap_err()
}

fn message(with: impl FnOnce(&StreamsBuilder)) -> String {
    refused(with).to_string()
}

#[test]
fn names_are_checked() {
    let builder = StreamsBuilder::new();
    builder.stream::<Bytes, Bytes>("a").to("b");
    let rule = "is not 1 to 100 characters of letters, digits, '.', '_' and '-'";
    assert_eq!(builder.build("no good").unwrap_err().to_string(), format!("topology name 'no good' {rule}"));
    assert_eq!(builder.build("").unwrap_err().to_string(), format!("topology name '' {rule}"));
    let store = |name: &'static str| {
        message(move |builder| {
            builder.stream::<Bytes, Bytes>("a").group_by_key().count(name);
        })
    };
    assert_eq!(store(""), format!("store name '' {rule}"));
    assert_eq!(store("a/b"), format!("store name 'a/b' {rule}"));
    assert_eq!(
        message(|builder| builder.stream::<Bytes, Bytes>("a b").to("c")),
        "topic 'a b': a topic name holds ' '; allowed are letters, digits, '.', '_' and '-'"
    );
}

#[test]
fn two_stores_of_one_name_are_refused() {
    let message = message(|builder| {
        let grouped = builder.stream::<Bytes, Bytes>("a").group_by_key();
        grouped.count("counts");
        grouped.count("counts");
    });
    assert_eq!(message, "store 'counts' is defined twice");
}

#[test]
fn a_topology_must_read_and_must_have_an_effect() {
    assert_eq!(message(|_| ()), "the topology reads no topic");
    let unused = message(|builder| {
        builder.stream::<Bytes, Bytes>("a");
    });
    assert_eq!(unused, "the topology writes no topic and keeps no store");
}

#[test]
fn internal_topics_are_neither_read_nor_written() {
    let expected =
        "topic 'x-repartition': names that end in '-repartition' are internal topics of topologies";
    let writing = StreamsBuilder::new();
    writing.stream::<Utf8, Utf8>("a").to("x-repartition");
    assert_eq!(writing.build("t").unwrap_err().to_string(), expected);
    let reading = StreamsBuilder::new();
    reading.stream::<Utf8, Utf8>("x-repartition").to("b");
    assert_eq!(reading.build("x").unwrap_err().to_string(), expected);
}

#[test]
fn a_topic_of_two_formats_is_refused() {
    let message = message(|builder| {
        let counts = builder.stream::<Bytes, Utf8>("a").group_by_key().count("counts");
        counts.to_stream().to("b");
        builder.stream::<Utf8, Utf8>("b").to("c");
    });
    assert_eq!(message, "topic 'b' has values of format i64 in 'sink-2' and utf8 in 'source-3'");
}

#[test]
fn topics_that_form_a_cycle_are_refused() {
    let direct = message(|builder| builder.stream::<Bytes, Bytes>("a").to("a"));
    assert_eq!(direct, "topics form a cycle: a -> a");
    let through_others = message(|builder| {
        builder.stream::<Bytes, Bytes>("a").to("b");
        let counts = builder.stream::<Bytes, Bytes>("b").group_by_key().count("c");
        counts.to_stream().map_values::<Bytes>(|_| Vec::new()).to("d");
        builder.stream::<Bytes, Bytes>("d").to("a");
    });
    assert_eq!(through_others, "topics form a cycle: a -> b -> d -> a");
}

#[test]
fn a_branch_behind_the_default_branch_is_refused() {
    let error = refused(|builder| {
        let mut split = builder.stream::<Bytes, Bytes>("a").split();
        split.default_branch().to("b");
        split.branch(|_, _| true).to("c");
    });
    assert_eq!(error, TopologyError::BranchBehindDefault);
}

#[test]
fn streams_of_two_builders_are_not_merged() {
    let error = refused(|builder| {
        let other = StreamsBuilder::new();
        builder.stream::<Bytes, Bytes>("a").merge(&other.stream("b")).to("c");
    });
    assert_eq!(error, TopologyError::ForeignStream);
}
