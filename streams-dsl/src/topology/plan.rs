//! From the logical graph to what runs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::cut::cut;
use crate::graph::{
    Aggregate, Body, Formats, Graph, GraphNode, Kind, Port, REPARTITION_SUFFIX, TopologyError,
    check_topology_name, repartition_topic, validate,
};
use crate::processor::Factory;

/// How a topology is planned.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// Count and reduce before a repartition as well as behind it, so that one record per key and commit
    /// crosses it rather than every record. Default: yes.
    pub combine_before_repartition: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self { combine_before_repartition: true }
    }
}

/// A checked and planned topology. The same value serves every shard; copies share what their nodes do.
#[derive(Clone)]
pub struct Topology {
    name: String,
    nodes: Vec<PlanNode>,
    subs: Vec<SubTopology>,
}

/// What one node of the plan is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Source { topic: String },
    Processor { store: Option<String> },
    Sink { topic: String },
}

#[derive(Clone)]
pub(crate) struct PlanNode {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) inputs: Vec<Port>,
    pub(crate) formats: Formats,
    pub(crate) factory: Arc<dyn Factory>,
}

/// A part of a topology whose nodes call each other directly. Between sub-topologies there are topics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubTopology {
    /// Topics read.
    pub sources: Vec<String>,
    /// Topics written.
    pub sinks: Vec<String>,
    /// Stores, in the order in which tasks number them.
    pub stores: Vec<String>,
    /// Those of its sources that are internal: this sub-topology alone reads them, and trims what it has read.
    pub internal_sources: Vec<String>,
    /// Its nodes, each behind those that it reads from.
    pub(crate) nodes: Vec<usize>,
}

impl Topology {
    pub(crate) fn plan(name: &str, graph: &Graph, options: PlanOptions) -> Result<Self, TopologyError> {
        check_topology_name(name)?;
        validate(graph)?;
        let nodes = Planner { topology: name, options, nodes: Vec::new() }.run(graph);
        // Those of other topologies are neither read nor written; validation refuses them.
        let subs = cut(&nodes, &|topic| topic.ends_with(REPARTITION_SUFFIX));
        Ok(Self { name: name.to_owned(), nodes, subs })
    }

    /// The name that it was built under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its parts, in the order of their first nodes.
    #[must_use]
    pub fn sub_topologies(&self) -> &[SubTopology] {
        &self.subs
    }

    /// Topics that it makes for itself, with the number of the sub-topology that writes each.
    #[must_use]
    pub fn internal_topics(&self) -> Vec<(&str, usize)> {
        let internal: BTreeSet<&String> = self.subs.iter().flat_map(|sub| &sub.internal_sources).collect();
        let written = self.subs.iter().enumerate();
        written
            .flat_map(|(index, sub)| sub.sinks.iter().map(move |topic| (topic, index)))
            .filter(|(topic, _)| internal.contains(topic))
            .map(|(topic, index)| (topic.as_str(), index))
            .collect()
    }

    /// Topics that others write and this topology reads, and those that it writes for others.
    #[must_use]
    pub fn external_topics(&self) -> (Vec<&str>, Vec<&str>) {
        let internal: BTreeSet<&str> = self.internal_topics().into_iter().map(|(topic, _)| topic).collect();
        let external = |of: fn(&SubTopology) -> &Vec<String>| -> Vec<&str> {
            let all: BTreeSet<&str> = self.subs.iter().flat_map(of).map(String::as_str).collect();
            all.difference(&internal).copied().collect()
        };
        (external(|sub| &sub.sources), external(|sub| &sub.sinks))
    }

    /// All stores, with the number of the sub-topology that keeps each.
    #[must_use]
    pub fn stores(&self) -> Vec<(&str, usize)> {
        let subs = self.subs.iter().enumerate();
        subs.flat_map(|(index, sub)| sub.stores.iter().map(move |store| (store.as_str(), index))).collect()
    }

    /// All stores, with what makes them: the step, and the formats of keys and values.
    pub(crate) fn store_kinds(&self) -> Vec<(&str, String)> {
        let kind = |node: &PlanNode| {
            let step = node.name.rsplit_once('-').map_or(&*node.name, |(step, _)| step);
            format!("a {step} of {} keys and {} values", node.formats.key, node.formats.value)
        };
        let stores = self.nodes.iter().filter_map(|node| match &node.role {
            Role::Processor { store: Some(name) } => Some((name.as_str(), kind(node))),
            _ => None,
        });
        stores.collect()
    }

    /// Names of the formats of keys and values in a topic that it touches.
    #[must_use]
    pub fn topic_formats(&self, topic: &str) -> Option<(&'static str, &'static str)> {
        let touches = |node: &&PlanNode| match &node.role {
            Role::Source { topic: name } | Role::Sink { topic: name } => name == topic,
            Role::Processor { .. } => false,
        };
        let formats = self.nodes.iter().find(touches)?.formats;
        Some((formats.key, formats.value))
    }

    pub(crate) fn nodes(&self) -> &[PlanNode] {
        &self.nodes
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topology").field("name", &self.name).field("subs", &self.subs).finish_non_exhaustive()
    }
}

struct Planner<'a> {
    topology: &'a str,
    options: PlanOptions,
    nodes: Vec<PlanNode>,
}

impl Planner<'_> {
    fn run(mut self, graph: &Graph) -> Vec<PlanNode> {
        let live = live_nodes(graph);
        // Where each node of the graph came to be in the plan.
        let mut places = vec![usize::MAX; graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate().filter(|(index, _)| live[*index]) {
            let place = |input: &Port| Port { node: places[input.node], way: input.way };
            let inputs = node.inputs.iter().map(place).collect();
            places[index] = self.add(node, inputs);
        }
        self.nodes
    }

    fn add(&mut self, node: &GraphNode, inputs: Vec<Port>) -> usize {
        match (&node.kind, &node.body) {
            (Kind::Aggregate { store, repartition }, Body::Aggregate(aggregate)) => {
                self.add_aggregate(node, store, *repartition, aggregate, inputs)
            }
            (Kind::Source { topic }, Body::Plain(factory)) => {
                self.push(&node.name, Role::Source { topic: topic.clone() }, inputs, node.formats, factory)
            }
            (Kind::Sink { topic }, Body::Plain(factory)) => {
                self.push(&node.name, Role::Sink { topic: topic.clone() }, inputs, node.formats, factory)
            }
            (_, Body::Plain(factory)) => {
                self.push(&node.name, Role::Processor { store: None }, inputs, node.formats, factory)
            }
            (_, Body::Aggregate(_)) => unreachable!("only aggregations have the body of one"),
        }
    }

    fn add_aggregate(
        &mut self,
        node: &GraphNode,
        store: &str,
        repartition: bool,
        aggregate: &Aggregate,
        inputs: Vec<Port>,
    ) -> usize {
        let role = Role::Processor { store: Some(store.to_owned()) };
        if !repartition {
            return self.push(&node.name, role, inputs, node.formats, &aggregate.direct);
        }
        let topic = repartition_topic(self.topology, store);
        let combining = aggregate.combining.as_ref().filter(|_| self.options.combine_before_repartition);
        let (label, sink, source, after) = match combining {
            Some(parts) => ("combine", (parts.before)(topic.clone()), (parts.source)(), &parts.after),
            None => ("repartition", (aggregate.sink)(topic.clone()), (aggregate.source)(), &aggregate.direct),
        };
        let sink_role = Role::Sink { topic: topic.clone() };
        self.push(&format!("{}-{label}", node.name), sink_role, inputs, node.formats, &Arc::from(sink));
        let source_name = format!("{}-source", node.name);
        let source =
            self.push(&source_name, Role::Source { topic }, Vec::new(), node.formats, &Arc::from(source));
        self.push(&node.name, role, vec![Port { node: source, way: 0 }], node.formats, after)
    }

    fn push(
        &mut self,
        name: &str,
        role: Role,
        inputs: Vec<Port>,
        formats: Formats,
        factory: &Arc<dyn Factory>,
    ) -> usize {
        self.nodes.push(PlanNode {
            name: name.to_owned(),
            role,
            inputs,
            formats,
            factory: Arc::clone(factory),
        });
        self.nodes.len() - 1
    }
}

/// Which nodes have an effect or lead to one that has.
fn live_nodes(graph: &Graph) -> Vec<bool> {
    let mut live: Vec<bool> = graph
        .nodes
        .iter()
        .map(|node| match node.kind {
            Kind::Sink { .. } | Kind::Aggregate { .. } => true,
            Kind::Processor { has_effect } => has_effect,
            Kind::Source { .. } => false,
        })
        .collect();
    for index in (0..graph.nodes.len()).rev().collect::<Vec<_>>() {
        if live[index] {
            for input in &graph.nodes[index].inputs {
                live[input.node] = true;
            }
        }
    }
    live
}
