//! The plan as text, in the form of Kafka Streams' `Topology.describe()`.

use std::fmt::Write;

use super::{PlanNode, Role, Topology};

impl Topology {
    /// The plan as text: each sub-topology with its nodes, and for each node what follows (`-->`) and what
    /// precedes it (`<--`).
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("Topology: {}\n", self.name());
        for (number, sub) in self.sub_topologies().iter().enumerate() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "   Sub-topology: {number}");
            for &index in &sub.nodes {
                self.describe_node(&mut text, index);
            }
            text.push('\n');
        }
        text
    }

    fn describe_node(&self, text: &mut String, index: usize) {
        let node = &self.nodes()[index];
        let (kind, detail) = match &node.role {
            Role::Source { topic } => ("Source", format!("topics: [{topic}]")),
            Role::Processor { store } => {
                ("Processor", format!("stores: [{}]", store.as_deref().unwrap_or_default()))
            }
            Role::Sink { topic } => ("Sink", format!("topic: {topic}")),
        };
        let _ = writeln!(text, "    {kind}: {} ({detail})", node.name);
        if !matches!(node.role, Role::Sink { .. }) {
            let _ =
                writeln!(text, "      --> {}", names(self.nodes().iter().filter(|next| reads(next, index))));
        }
        if !matches!(node.role, Role::Source { .. }) {
            let _ = writeln!(
                text,
                "      <-- {}",
                names(node.inputs.iter().map(|input| &self.nodes()[input.node]))
            );
        }
    }
}

fn reads(node: &PlanNode, index: usize) -> bool {
    node.inputs.iter().any(|input| input.node == index)
}

fn names<'a>(nodes: impl Iterator<Item = &'a PlanNode>) -> String {
    let names: Vec<&str> = nodes.map(|node| node.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
