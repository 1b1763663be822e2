//! The plan as a picture.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Role, Topology};

impl Topology {
    /// The plan as a flowchart in the language of mermaid: sub-topologies are boxes, topics lie between them,
    /// stores hang at their processors.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        let mut edges = String::new();
        let mut topics = BTreeSet::new();
        for (number, sub) in self.sub_topologies().iter().enumerate() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  subgraph sub{number}[\"sub-topology {number}\"]");
            for &index in &sub.nodes {
                let node = &self.nodes()[index];
                let _ = writeln!(text, "    n{index}[\"{}\"]", node.name);
                for input in &node.inputs {
                    let _ = writeln!(edges, "  n{} --> n{index}", input.node);
                }
                match &node.role {
                    Role::Source { topic } => {
                        topics.insert(topic);
                        let _ = writeln!(edges, "  {} --> n{index}", topic_id(topic));
                    }
                    Role::Sink { topic } => {
                        topics.insert(topic);
                        let _ = writeln!(edges, "  n{index} --> {}", topic_id(topic));
                    }
                    Role::Processor { store: Some(store) } => {
                        let _ = writeln!(text, "    s{index}[(\"{store}\")]");
                        let _ = writeln!(edges, "  n{index} --- s{index}");
                    }
                    Role::Processor { store: None } => {}
                }
            }
            text.push_str("  end\n");
        }
        for topic in topics {
            let _ = writeln!(text, "  {}([\"{topic}\"])", topic_id(topic));
        }
        text + &edges
    }
}

/// A topic name as an identifier: other characters than letters and digits by their code.
fn topic_id(topic: &str) -> String {
    let mut id = String::from("t_");
    for character in topic.chars() {
        if character.is_ascii_alphanumeric() {
            id.push(character);
        } else {
            let _ = write!(id, "_{:x}_", u32::from(character));
        }
    }
    id
}
