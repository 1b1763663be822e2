//! Nodes and how they are connected.

use std::sync::Arc;

use super::TopologyError;
use crate::processor::Factory;

/// One way out of a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Port {
    pub(crate) node: usize,
    /// 0, and for a branch's other way 1.
    pub(crate) way: usize,
}

/// Names of the formats of a node's output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Formats {
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
}

/// What a node is, as far as the graph is concerned.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Source {
        topic: String,
    },
    /// `has_effect`: it is there for its own sake, whether or not anything follows it.
    Processor {
        has_effect: bool,
    },
    /// `repartition`: its input must first be partitioned by key.
    Aggregate {
        store: String,
        repartition: bool,
    },
    Sink {
        topic: String,
    },
}

/// What a node does.
pub(crate) enum Body {
    Plain(Arc<dyn Factory>),
    Aggregate(Aggregate),
}

/// The parts of an aggregation, of which the planner takes those that it needs.
pub(crate) struct Aggregate {
    /// From records to the store.
    pub(crate) direct: Arc<dyn Factory>,
    /// Writes records to a repartition topic, given its name.
    pub(crate) sink: fn(String) -> Box<dyn Factory>,
    /// Reads them from there.
    pub(crate) source: fn() -> Box<dyn Factory>,
    /// For an aggregation of which a part can be done before the repartition.
    pub(crate) combining: Option<Combining>,
}

/// Doing a part of an aggregation before the repartition: one record per key and commit travels.
pub(crate) struct Combining {
    /// Aggregates, and writes to a repartition topic, given its name.
    pub(crate) before: Box<dyn Fn(String) -> Box<dyn Factory>>,
    /// Reads partial aggregates from there.
    pub(crate) source: fn() -> Box<dyn Factory>,
    /// From partial aggregates to the store.
    pub(crate) after: Arc<dyn Factory>,
}

/// A node of the logical graph.
pub(crate) struct GraphNode {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Nodes before this one: the graph has no cycles by construction.
    pub(crate) inputs: Vec<Port>,
    pub(crate) formats: Formats,
    pub(crate) body: Body,
}

/// All nodes, each behind those that it reads from.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<GraphNode>,
    /// What was wrong with a call of the builder, whose methods do not fail.
    pub(crate) problems: Vec<TopologyError>,
}

impl Graph {
    /// Adds a node and returns its first way out. `label`: what it does, for its name.
    ///
    /// # Panics
    /// If an input does not exist yet: a bug of the builder.
    pub(crate) fn add(
        &mut self,
        label: &str,
        kind: Kind,
        inputs: Vec<Port>,
        formats: Formats,
        body: Body,
    ) -> Port {
        let node = self.nodes.len();
        assert!(inputs.iter().all(|input| input.node < node), "a node comes behind its inputs");
        self.nodes.push(GraphNode { name: format!("{label}-{node}"), kind, inputs, formats, body });
        Port { node, way: 0 }
    }
}
