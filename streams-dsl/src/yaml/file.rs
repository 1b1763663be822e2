//! A topology file.

use super::compile::{Compiler, check_name};
use super::cursor::{Cursor, Problem};
use super::locate::{error_at, parse};
use super::tests::parse_tests;
use super::{TestFailure, YamlError, YamlTest};
use crate::builder::StreamsBuilder;
use crate::limits::YAML_FILE_SIZE_MAX;
use crate::topology::Topology;

/// A topology read from YAML, with the tests that came with it.
#[derive(Clone, Debug)]
pub struct YamlTopology {
    topology: Topology,
    tests: Vec<YamlTest>,
}

impl YamlTopology {
    /// Reads and checks a topology file.
    ///
    /// # Errors
    /// [`YamlError`]: the first thing that is wrong, with its line and column.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        if text.len() > YAML_FILE_SIZE_MAX {
            let message = format!("{} bytes; the limit is {YAML_FILE_SIZE_MAX}", text.len());
            return Err(YamlError::at(1, 1, message));
        }
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value = parse(text)?;
        compile(&Cursor::new(&value)).map_err(|problem| error_at(text, &problem.path, problem.message))
    }

    /// The topology.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The tests of the file.
    #[must_use]
    pub fn tests(&self) -> &[YamlTest] {
        &self.tests
    }

    /// Runs all tests of the file by the test driver. Returns those that failed.
    #[must_use]
    pub fn run_tests(&self) -> Vec<TestFailure> {
        self.tests.iter().filter_map(|test| test.run(&self.topology).err()).collect()
    }
}

fn compile(root: &Cursor<'_>) -> Result<YamlTopology, Problem> {
    let known = ["topology", "description", "guarantee", "steps", "tests"];
    let (mut name, mut steps, mut tests) = (None, None, None);
    for (key, value) in root.known_entries("a topology file", &known)? {
        match key {
            "topology" => {
                let text = value.text("the name of the topology")?;
                check_name(&value, "topology", text)?;
                name = Some(text);
            }
            "guarantee" => drop(value.choice("guarantee", &["exactly_once"])?),
            "description" => drop(value.text("description")?),
            "steps" => steps = Some(value),
            _ => tests = Some(value),
        }
    }
    let name = name.ok_or_else(|| root.problem("a topology file needs 'topology: NAME'"))?;
    let steps = steps.ok_or_else(|| root.problem("a topology file needs 'steps: [...]'"))?;
    let builder = StreamsBuilder::new();
    Compiler::new(&builder).steps(&steps)?;
    let topology = builder.build(name).map_err(|error| steps.problem(error.to_string()))?;
    let tests = match &tests {
        Some(tests) => parse_tests(tests, &topology)?,
        None => Vec::new(),
    };
    Ok(YamlTopology { topology, tests })
}
