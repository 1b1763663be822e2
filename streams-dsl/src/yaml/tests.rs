//! Tests in topology files.

use std::collections::BTreeMap;
use std::fmt;

use thalweg_engine::model::Record;

use super::cursor::{Cursor, Problem};
use super::suggest::unknown;
use crate::driver::TestDriver;
use crate::limits::YAML_TESTS_MAX;
use crate::serdes::{I64, Serde};
use crate::topology::Topology;

/// A test of a topology file.
#[derive(Clone, Debug)]
pub struct YamlTest {
    name: String,
    inputs: Vec<(String, Vec<Record>)>,
    outputs: Vec<(String, Expected)>,
}

/// What a topic must hold.
#[derive(Clone, Debug)]
enum Expected {
    /// The latest value of each key.
    Latest(BTreeMap<String, String>),
    /// All values, in order.
    All(Vec<String>),
}

/// A test that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TestFailure {
    /// Name of the test, or its number from 1.
    pub test: String,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "test {}: {}", self.test, self.message)
    }
}

impl YamlTest {
    /// Its name, or its number from 1.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs the test under a test driver.
    ///
    /// # Errors
    /// [`TestFailure`].
    pub fn run(&self, topology: &Topology) -> Result<(), TestFailure> {
        self.run_inner(topology).map_err(|message| TestFailure { test: self.name.clone(), message })
    }

    fn run_inner(&self, topology: &Topology) -> Result<(), String> {
        let mut driver = TestDriver::new(topology.clone());
        for (topic, records) in &self.inputs {
            for record in records {
                driver.pipe(topic, record).map_err(|error| error.to_string())?;
            }
        }
        driver.commit().map_err(|error| error.to_string())?;
        for (topic, expected) in &self.outputs {
            let format = topology.topic_formats(topic).map_or("", |(_, value)| value);
            let found = driver.read(topic);
            expected.compare(format, &found).map_err(|message| format!("topic '{topic}': {message}"))?;
        }
        Ok(())
    }
}

impl Expected {
    fn compare(&self, format: &str, found: &[Record]) -> Result<(), String> {
        match self {
            Self::All(expected) => {
                let found: Vec<String> =
                    found.iter().map(|record| show(format, record.value.as_deref())).collect();
                if found == *expected {
                    return Ok(());
                }
                Err(format!("expected {expected:?}, found {found:?}"))
            }
            Self::Latest(expected) => {
                let latest: BTreeMap<String, String> = found
                    .iter()
                    .map(|record| (show("", record.key.as_deref()), show(format, record.value.as_deref())))
                    .collect();
                for (key, value) in expected {
                    let Some(found) = latest.get(key) else {
                        return Err(format!("key '{key}': expected '{value}', found nothing"));
                    };
                    if found != value {
                        return Err(format!("key '{key}': expected '{value}', found '{found}'"));
                    }
                }
                match latest.iter().find(|(key, _)| !expected.contains_key(*key)) {
                    Some((key, value)) => Err(format!("key '{key}': expected nothing, found '{value}'")),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Bytes as a person reads them, by the name of their format.
fn show(format: &str, bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let number =
        if format == I64::NAME { I64::decode(bytes, |number| number.to_string()).ok() } else { None };
    number.unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
}

/// Reads the tests of a file whose topology is `topology`.
pub(super) fn parse_tests(tests: &Cursor<'_>, topology: &Topology) -> Result<Vec<YamlTest>, Problem> {
    let items = tests.items("tests")?;
    if items.len() > YAML_TESTS_MAX {
        return Err(tests.problem(format!("{} tests; the limit is {YAML_TESTS_MAX}", items.len())));
    }
    let (sources, sinks) = topology.external_topics();
    let parse = |(number, test): (usize, &Cursor<'_>)| parse_test(number, test, &sources, &sinks);
    items.iter().enumerate().map(parse).collect()
}

fn parse_test(
    number: usize,
    test: &Cursor<'_>,
    sources: &[&str],
    sinks: &[&str],
) -> Result<YamlTest, Problem> {
    let mut parsed = YamlTest { name: (number + 1).to_string(), inputs: Vec::new(), outputs: Vec::new() };
    for (key, value) in test.known_entries("a test", &["name", "in", "out"])? {
        match key {
            "name" => value.text("the name of a test")?.clone_into(&mut parsed.name),
            "in" => {
                for (topic, records) in by_topic(&value, "in", "topic read", sources)? {
                    parsed.inputs.push((topic, parse_records(&records)?));
                }
            }
            _ => {
                for (topic, expected) in by_topic(&value, "out", "topic written", sinks)? {
                    parsed.outputs.push((topic, parse_expected(&expected)?));
                }
            }
        }
    }
    if parsed.inputs.is_empty() || parsed.outputs.is_empty() {
        return Err(test.problem("a test needs 'in' and 'out'"));
    }
    Ok(parsed)
}

/// With one topic the value is that topic's; with several it is a map by topic.
fn by_topic<'a>(
    value: &Cursor<'a>,
    key: &str,
    what: &str,
    topics: &[&str],
) -> Result<Vec<(String, Cursor<'a>)>, Problem> {
    if let [topic] = topics {
        return Ok(vec![((*topic).to_owned(), value.clone())]);
    }
    if topics.is_empty() {
        return Err(value.problem(format!("'{key}' has no {what}")));
    }
    let mut found = Vec::new();
    for (topic, inner) in value.entries(&format!("'{key}', with several topics,"))? {
        if !topics.contains(&topic) {
            return Err(value.problem_at_key(topic, unknown(what, topic, topics)));
        }
        found.push((topic.to_owned(), inner));
    }
    Ok(found)
}

fn parse_records(records: &Cursor<'_>) -> Result<Vec<Record>, Problem> {
    let items = records.items("in")?;
    if items.len() > YAML_TESTS_MAX {
        return Err(records.problem(format!("{} records; the limit is {YAML_TESTS_MAX}", items.len())));
    }
    items.iter().map(parse_record).collect()
}

fn parse_record(item: &Cursor<'_>) -> Result<Record, Problem> {
    let mut record = Record::default();
    if !item.is_map() {
        record.value = Some(item.text("a record")?.as_bytes().to_vec());
        return Ok(record);
    }
    for (key, value) in item.known_entries("a record", &["key", "value"])? {
        let bytes = Some(value.text(key)?.as_bytes().to_vec());
        match key {
            "key" => record.key = bytes,
            _ => record.value = bytes,
        }
    }
    Ok(record)
}

fn parse_expected(expected: &Cursor<'_>) -> Result<Expected, Problem> {
    if expected.is_list() {
        let items = expected.items("out")?;
        let values: Result<_, _> = items.iter().map(|item| item.text_or_integer("a value")).collect();
        return Ok(Expected::All(values?));
    }
    let mut latest = BTreeMap::new();
    for (key, value) in expected.entries("out")? {
        latest.insert(key.to_owned(), value.text_or_integer("a value")?);
    }
    Ok(Expected::Latest(latest))
}
