//! From steps to a graph.

use std::collections::{BTreeMap, BTreeSet};

use thalweg_engine::model::TopicName;

use super::cursor::{Cursor, Problem};
use super::flow::{FLAT_MAPS, Flow, Grouped, MAPS, flat_map, map_values};
use super::predicate::{Predicate, ValueKind};
use super::suggest::unknown;
use crate::builder::StreamsBuilder;
use crate::graph::{TopologyError, check_topic};
use crate::limits::{NAME_SIZE_MAX, YAML_STEPS_MAX};
use crate::serdes::Bytes;

const STEPS: &[&str] = &[
    "from",
    "flat_map",
    "map_values",
    "filter",
    "filter_not",
    "select_key",
    "group_by",
    "count",
    "reduce",
    "as",
    "use",
    "merge",
    "branch",
    "to",
];

/// What the next step goes on from.
enum Current {
    /// Nothing yet, or a branch came before.
    Nothing,
    Stream(Flow),
    Grouped(Grouped),
}

pub(super) struct Compiler<'a> {
    builder: &'a StreamsBuilder,
    current: Current,
    /// Whether nothing has come of the current stream yet: it would be lost with it.
    is_open: bool,
    named: BTreeMap<String, Flow>,
    stores: Vec<String>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(builder: &'a StreamsBuilder) -> Self {
        Self {
            builder,
            current: Current::Nothing,
            is_open: false,
            named: BTreeMap::new(),
            stores: Vec::new(),
        }
    }

    pub(super) fn steps(&mut self, steps: &Cursor<'_>) -> Result<(), Problem> {
        let items = steps.items("steps")?;
        if items.len() > YAML_STEPS_MAX {
            return Err(steps.problem(format!("{} steps; the limit is {YAML_STEPS_MAX}", items.len())));
        }
        for item in &items {
            self.step(item)?;
        }
        if matches!(self.current, Current::Grouped(_)) {
            return Err(steps.problem("the last step is 'group_by'; 'count' or 'reduce' must follow"));
        }
        Ok(())
    }

    fn step(&mut self, step: &Cursor<'_>) -> Result<(), Problem> {
        let (name, argument) = step.one_entry("step", STEPS)?;
        if self.is_open && matches!(name, "from" | "use") {
            let message =
                format!("nothing comes of the steps before this '{name}'; end them with 'to' or 'as'");
            return Err(step.problem_at_key(name, message));
        }
        let next = match name {
            "from" => Current::Stream(self.from(&argument)?),
            "use" => Current::Stream(self.named(&argument)?),
            "count" => Current::Stream(self.count(step, &argument)?),
            "reduce" => Current::Stream(self.reduce(step, &argument)?),
            _ => {
                let stream = self.stream(step, name)?;
                self.on_stream(step, name, &argument, &stream)?
            }
        };
        self.current = next;
        self.is_open = !matches!(name, "to" | "as" | "count" | "reduce" | "branch");
        Ok(())
    }

    /// Steps that go on from a stream.
    fn on_stream(
        &mut self,
        step: &Cursor<'_>,
        name: &str,
        argument: &Cursor<'_>,
        stream: &Flow,
    ) -> Result<Current, Problem> {
        Ok(Current::Stream(match name {
            "flat_map" => {
                let function = argument.choice("flat map", FLAT_MAPS)?;
                Flow::Text(flat_map(text(step, name, stream)?, function))
            }
            "map_values" => Self::map_values(argument, stream)?,
            "filter" => stream.filter(Predicate::parse(argument, stream.kind())?, true),
            "filter_not" => stream.filter(Predicate::parse(argument, stream.kind())?, false),
            "select_key" => {
                argument.choice("key", &["value"])?;
                Flow::Text(text(step, name, stream)?.select_key::<Bytes>(|_, value| value))
            }
            "group_by" => return self.group_by(argument, stream),
            "as" => {
                self.name(argument, stream.clone())?;
                stream.clone()
            }
            "merge" => self.merge(argument, stream)?,
            "branch" => {
                self.branch(argument, stream)?;
                return Ok(Current::Nothing);
            }
            "to" => {
                stream.to(topic(argument)?);
                stream.clone()
            }
            _ => unreachable!("every known step is matched"),
        }))
    }

    /// The stream that step `name` goes on from.
    fn stream(&self, step: &Cursor<'_>, name: &str) -> Result<Flow, Problem> {
        let message = match &self.current {
            Current::Stream(stream) => return Ok(stream.clone()),
            Current::Grouped(_) => format!("'{name}' follows 'group_by'; 'count' or 'reduce' must follow it"),
            Current::Nothing => format!("'{name}' has no stream to go on from; begin with 'from' or 'use'"),
        };
        Err(step.problem_at_key(name, message))
    }

    fn from(&self, argument: &Cursor<'_>) -> Result<Flow, Problem> {
        let topics = argument.items_or_one("from")?;
        let mut merged: Option<Flow> = None;
        let mut names = BTreeSet::new();
        for item in &topics {
            let name = topic(item)?;
            if !names.insert(name) {
                return Err(item.problem(format!("'from' names topic '{name}' twice")));
            }
            let stream = Flow::Text(self.builder.stream::<Bytes, Bytes>(name));
            merged = match merged {
                Some(before) => before.merge(&stream),
                None => Some(stream),
            };
        }
        merged.ok_or_else(|| argument.problem("'from' names no topic"))
    }

    fn named(&self, argument: &Cursor<'_>) -> Result<Flow, Problem> {
        let name = argument.text("the name of a stream")?;
        self.named.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            argument.problem(unknown("stream", name, &known))
        })
    }

    fn name(&mut self, argument: &Cursor<'_>, stream: Flow) -> Result<(), Problem> {
        let name = argument.text("the name of a stream")?;
        check_name(argument, "stream", name)?;
        match self.named.insert(name.to_owned(), stream) {
            None => Ok(()),
            Some(_) => Err(argument.problem(format!("stream '{name}' is defined twice"))),
        }
    }

    fn map_values(argument: &Cursor<'_>, stream: &Flow) -> Result<Flow, Problem> {
        let function = argument.choice("map", MAPS)?;
        match (stream, function) {
            (Flow::Numbers(numbers), "text") => {
                Ok(Flow::Text(numbers.map_values::<Bytes>(|number| number.to_string().into_bytes())))
            }
            (Flow::Text(stream), "lowercase" | "uppercase" | "trim") => {
                Ok(Flow::Text(map_values(stream, function)))
            }
            _ => {
                let needs = if function == "text" { ValueKind::Number } else { ValueKind::Text };
                let (needs, here) = (needs.name(), stream.kind().name());
                Err(argument.problem(format!("'{function}' needs {needs}, but here are {here}")))
            }
        }
    }

    fn group_by(&self, argument: &Cursor<'_>, stream: &Flow) -> Result<Current, Problem> {
        let by = argument.choice("group", &["value", "key"])?;
        Ok(Current::Grouped(match (by, stream) {
            ("key", _) => stream.group_by_key(),
            (_, Flow::Text(stream)) => Grouped::Text(stream.group_by::<Bytes>(|_, value| value)),
            (_, Flow::Numbers(_)) => {
                return Err(argument.problem("'group_by: value' needs text values, but here are numbers"));
            }
        }))
    }

    /// The grouped stream that step `name` aggregates: without a `group_by` before it, by key.
    fn grouped(&mut self, step: &Cursor<'_>, name: &str) -> Result<Grouped, Problem> {
        match std::mem::replace(&mut self.current, Current::Nothing) {
            Current::Grouped(grouped) => Ok(grouped),
            Current::Stream(_) => {
                Err(step.problem_at_key(name, format!("'{name}' needs a 'group_by' before it")))
            }
            Current::Nothing => {
                let message = format!("'{name}' has no stream to go on from; begin with 'from' or 'use'");
                Err(step.problem_at_key(name, message))
            }
        }
    }

    fn count(&mut self, step: &Cursor<'_>, argument: &Cursor<'_>) -> Result<Flow, Problem> {
        let grouped = self.grouped(step, "count")?;
        let mut store = None;
        for (key, value) in argument.known_entries("count", &["store"])? {
            debug_assert_eq!(key, "store");
            store = Some(self.store(&value)?);
        }
        let store =
            store.ok_or_else(|| argument.problem("'count' needs the name of its store: {store: NAME}"))?;
        Ok(grouped.count(&store))
    }

    fn reduce(&mut self, step: &Cursor<'_>, argument: &Cursor<'_>) -> Result<Flow, Problem> {
        let grouped = self.grouped(step, "reduce")?;
        let (mut store, mut function) = (None, None);
        for (key, value) in argument.known_entries("reduce", &["store", "with"])? {
            match key {
                "store" => store = Some(self.store(&value)?),
                _ => function = Some(value.choice("function of reduce", grouped.functions())?),
            }
        }
        match (store, function) {
            (Some(store), Some(function)) => Ok(grouped.reduce(&store, function)),
            _ => Err(argument.problem("'reduce' needs both: {store: NAME, with: FUNCTION}")),
        }
    }

    fn store(&mut self, argument: &Cursor<'_>) -> Result<String, Problem> {
        let name = argument.text("the name of a store")?;
        check_name(argument, "store", name)?;
        if self.stores.iter().any(|store| store == name) {
            return Err(argument.problem(format!("store '{name}' is defined twice")));
        }
        self.stores.push(name.to_owned());
        Ok(name.to_owned())
    }

    fn merge(&self, argument: &Cursor<'_>, stream: &Flow) -> Result<Flow, Problem> {
        let mut merged = stream.clone();
        for item in argument.items_or_one("merge")? {
            let other = self.named(&item)?;
            merged = merged.merge(&other).ok_or_else(|| {
                let (here, there) = (merged.kind().name(), other.kind().name());
                item.problem(format!("a stream of {there} cannot be merged into one of {here}"))
            })?;
        }
        Ok(merged)
    }

    fn branch(&mut self, argument: &Cursor<'_>, stream: &Flow) -> Result<(), Problem> {
        let branches = argument.items("branch")?;
        if branches.is_empty() {
            return Err(argument.problem("'branch' has no branches"));
        }
        let mut names = Vec::new();
        let mut predicates = Vec::new();
        for (at, branch) in branches.iter().enumerate() {
            let (mut name, mut predicate) = (None, None);
            for (key, value) in branch.known_entries("branch", &["as", "when"])? {
                match key {
                    "as" => name = Some(value),
                    _ => predicate = Some(Predicate::parse(&value, stream.kind())?),
                }
            }
            names.push(name.ok_or_else(|| branch.problem("a branch needs a name: {as: NAME}"))?);
            match predicate {
                Some(predicate) => predicates.push(predicate),
                None if at + 1 == branches.len() => {}
                None => return Err(branch.problem("only the last branch may do without 'when'")),
            }
        }
        let (streams, rest) = stream.split(predicates);
        for (name, stream) in names.iter().zip(streams.into_iter().chain([rest])) {
            self.name(name, stream)?;
        }
        Ok(())
    }
}

fn text<'f>(
    step: &Cursor<'_>,
    name: &str,
    stream: &'f Flow,
) -> Result<&'f crate::builder::KStream<Bytes, Bytes>, Problem> {
    match stream {
        Flow::Text(stream) => Ok(stream),
        Flow::Numbers(_) => {
            Err(step.problem_at_key(name, format!("'{name}' needs text values, but here are numbers")))
        }
    }
}

fn topic<'a>(argument: &Cursor<'a>) -> Result<&'a str, Problem> {
    let name = argument.text("the name of a topic")?;
    match check_topic(name) {
        Ok(()) => Ok(name),
        Err(TopologyError::Topic { source, .. }) => Err(argument.problem(source.to_string())),
        Err(error) => Err(argument.problem(error.to_string())),
    }
}

/// Checks the name of a stream, store or topology.
pub(super) fn check_name(argument: &Cursor<'_>, what: &str, name: &str) -> Result<(), Problem> {
    if name.len() > NAME_SIZE_MAX || TopicName::new(name).is_err() {
        let rule = format!("1 to {NAME_SIZE_MAX} characters of letters, digits, '.', '_' and '-'");
        return Err(argument.problem(format!("{what} name '{name}' is not {rule}")));
    }
    Ok(())
}
