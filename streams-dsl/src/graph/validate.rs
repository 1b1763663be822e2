//! What can be known to be wrong with a topology before anything runs.

use std::collections::{BTreeMap, BTreeSet};

use thalweg_engine::model::{NameError, TopicName};

use super::{Formats, Graph, Kind, REPARTITION_SUFFIX};
use crate::limits::{NAME_SIZE_MAX, TOPOLOGY_NODES_MAX};

/// Why a topology cannot be built.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TopologyError {
    /// The name of the topology or of a store is no such name.
    #[error(
        "{what} name '{name}' is not 1 to {NAME_SIZE_MAX} characters of letters, digits, '.', '_' and '-'"
    )]
    Name {
        /// `topology` or `store`.
        what: &'static str,
        /// The name given.
        name: String,
    },
    /// A topic name is no topic name.
    #[error("topic '{name}': {source}")]
    Topic {
        /// The name given.
        name: String,
        /// What is wrong with it.
        #[source]
        source: NameError,
    },
    /// Two stores have one name.
    #[error("store '{store}' is defined twice")]
    DuplicateStore {
        /// The name.
        store: String,
    },
    /// Nothing is read.
    #[error("the topology reads no topic")]
    NoSource,
    /// Nothing that is read has an effect.
    #[error("the topology writes no topic and keeps no store")]
    NoEffect,
    /// A topic is read or written that belongs to the insides of a topology, this one or another.
    #[error("topic '{topic}': names that end in '{REPARTITION_SUFFIX}' are internal topics of topologies")]
    InternalTopic {
        /// The topic.
        topic: String,
    },
    /// One topic is read or written in two formats.
    #[error("topic '{topic}' has {part}s of format {one} in '{one_node}' and {other} in '{other_node}'")]
    FormatMismatch {
        /// The topic.
        topic: String,
        /// `key` or `value`.
        part: &'static str,
        /// Format in the one place.
        one: &'static str,
        /// The one node.
        one_node: String,
        /// Format in the other place.
        other: &'static str,
        /// The other node.
        other_node: String,
    },
    /// Records would go round for ever.
    #[error("topics form a cycle: {}", topics.join(" -> "))]
    Cycle {
        /// The topics of the cycle; the first is also the last.
        topics: Vec<String>,
    },
    /// More nodes than the limit.
    #[error("the topology has {count} nodes; the limit is {limit}")]
    TooManyNodes {
        /// Number of nodes.
        count: usize,
        /// [`TOPOLOGY_NODES_MAX`].
        limit: usize,
    },
    /// `branch` or `default_branch` was called behind a `default_branch`.
    #[error("a split has a branch behind its default branch")]
    BranchBehindDefault,
    /// Streams of two builders were merged.
    #[error("streams of two builders are merged")]
    ForeignStream,
}

/// Checks the name of a topology.
pub(crate) fn check_topology_name(name: &str) -> Result<(), TopologyError> {
    check_name("topology", name)
}

/// Checks the name of a store.
fn check_store_name(name: &str) -> Result<(), TopologyError> {
    check_name("store", name)
}

fn check_name(what: &'static str, name: &str) -> Result<(), TopologyError> {
    if name.len() > NAME_SIZE_MAX || TopicName::new(name).is_err() {
        return Err(TopologyError::Name { what, name: name.to_owned() });
    }
    Ok(())
}

/// Checks everything but the topology's name. Returns the first problem, in the order of the program.
pub(crate) fn validate(graph: &Graph) -> Result<(), TopologyError> {
    if let Some(problem) = graph.problems.first() {
        return Err(problem.clone());
    }
    let count = graph.nodes.len();
    if count > TOPOLOGY_NODES_MAX {
        return Err(TopologyError::TooManyNodes { count, limit: TOPOLOGY_NODES_MAX });
    }
    check_names(graph)?;
    check_formats(graph)?;
    check_ends(graph)?;
    check_cycles(graph)
}

fn check_names(graph: &Graph) -> Result<(), TopologyError> {
    let mut stores = BTreeSet::new();
    for node in &graph.nodes {
        match &node.kind {
            Kind::Source { topic } | Kind::Sink { topic } => check_topic(topic)?,
            Kind::Aggregate { store, .. } => {
                check_store_name(store)?;
                if !stores.insert(store) {
                    return Err(TopologyError::DuplicateStore { store: store.clone() });
                }
            }
            Kind::Processor { .. } => {}
        }
    }
    Ok(())
}

/// Checks the name of a topic that a topology reads from others or writes for others.
pub(crate) fn check_topic(name: &str) -> Result<(), TopologyError> {
    if let Err(source) = TopicName::new(name) {
        return Err(TopologyError::Topic { name: name.to_owned(), source });
    }
    if name.ends_with(REPARTITION_SUFFIX) {
        return Err(TopologyError::InternalTopic { topic: name.to_owned() });
    }
    Ok(())
}

/// A topic has one format wherever the topology touches it; raw bytes agree with every format.
fn check_formats(graph: &Graph) -> Result<(), TopologyError> {
    let mut keys = BTreeMap::new();
    let mut values = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let (Kind::Source { topic } | Kind::Sink { topic }) = &node.kind else { continue };
        let Formats { key, value } = node.formats;
        for (part, format, known) in [("key", key, &mut keys), ("value", value, &mut values)] {
            if format == crate::serdes::RAW_FORMAT {
                continue;
            }
            let (one, first) = *known.entry(topic).or_insert((format, index));
            if one != format {
                return Err(TopologyError::FormatMismatch {
                    topic: topic.clone(),
                    part,
                    one,
                    one_node: graph.nodes[first].name.clone(),
                    other: format,
                    other_node: node.name.clone(),
                });
            }
        }
    }
    Ok(())
}

fn check_ends(graph: &Graph) -> Result<(), TopologyError> {
    if !graph.nodes.iter().any(|node| matches!(node.kind, Kind::Source { .. })) {
        return Err(TopologyError::NoSource);
    }
    let has_effect = |kind: &Kind| match kind {
        Kind::Sink { .. } | Kind::Aggregate { .. } => true,
        Kind::Processor { has_effect } => *has_effect,
        Kind::Source { .. } => false,
    };
    if !graph.nodes.iter().any(|node| has_effect(&node.kind)) {
        return Err(TopologyError::NoEffect);
    }
    Ok(())
}

/// Finds a topic that is written with what was read from it.
fn check_cycles(graph: &Graph) -> Result<(), TopologyError> {
    // Which source topics reach each node.
    let mut reaching: Vec<BTreeSet<&str>> = Vec::with_capacity(graph.nodes.len());
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for node in &graph.nodes {
        let mut topics = BTreeSet::new();
        for input in &node.inputs {
            topics.extend(&reaching[input.node]);
        }
        match &node.kind {
            Kind::Source { topic } => {
                topics.insert(topic.as_str());
            }
            Kind::Sink { topic } => {
                for from in &topics {
                    edges.entry(from).or_default().insert(topic);
                }
            }
            Kind::Processor { .. } | Kind::Aggregate { .. } => {}
        }
        reaching.push(topics);
    }
    for start in edges.keys() {
        if let Some(mut topics) = path(&edges, start) {
            topics.push((*start).to_owned());
            return Err(TopologyError::Cycle { topics });
        }
    }
    Ok(())
}

/// The shortest way from `start` back to it.
fn path(edges: &BTreeMap<&str, BTreeSet<&str>>, start: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(topic) = queue.pop_front() {
        for &next in edges.get(topic).into_iter().flatten() {
            if next == start {
                let mut way = vec![topic.to_owned()];
                let mut at = topic;
                while at != start {
                    at = came_from[at];
                    way.push(at.to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, topic);
                queue.push_back(next);
            }
        }
    }
    None
}
