//! Cutting the plan into sub-topologies.

use super::{PlanNode, Role, SubTopology};

/// Groups nodes that are connected other than by a topic.
pub(super) fn cut(nodes: &[PlanNode], is_internal: &dyn Fn(&str) -> bool) -> Vec<SubTopology> {
    // Each node's group is named by the smallest node in it.
    let mut groups: Vec<usize> = (0..nodes.len()).collect();
    for (index, node) in nodes.iter().enumerate() {
        for input in &node.inputs {
            unite(&mut groups, index, input.node);
        }
    }
    let mut subs: Vec<(usize, SubTopology)> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let group = find(&groups, index);
        let place = subs.iter().position(|(name, _)| *name == group).unwrap_or_else(|| {
            subs.push((group, empty()));
            subs.len() - 1
        });
        enter(&mut subs[place].1, index, node, is_internal);
    }
    subs.into_iter().map(|(_, sub)| sub).collect()
}

fn empty() -> SubTopology {
    SubTopology {
        sources: Vec::new(),
        sinks: Vec::new(),
        stores: Vec::new(),
        internal_sources: Vec::new(),
        nodes: Vec::new(),
    }
}

fn enter(sub: &mut SubTopology, index: usize, node: &PlanNode, is_internal: &dyn Fn(&str) -> bool) {
    sub.nodes.push(index);
    match &node.role {
        Role::Source { topic } => {
            push_new(&mut sub.sources, topic);
            if is_internal(topic) {
                push_new(&mut sub.internal_sources, topic);
            }
        }
        Role::Sink { topic } => push_new(&mut sub.sinks, topic),
        Role::Processor { store } => sub.stores.extend(store.clone()),
    }
}

fn push_new(names: &mut Vec<String>, name: &String) {
    if !names.contains(name) {
        names.push(name.clone());
    }
}

fn find(groups: &[usize], mut index: usize) -> usize {
    while groups[index] != index {
        index = groups[index];
    }
    index
}

fn unite(groups: &mut [usize], one: usize, other: usize) {
    let (one, other) = (find(groups, one), find(groups, other));
    groups[one.max(other)] = one.min(other);
}
