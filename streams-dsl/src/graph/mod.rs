//! The logical graph: what the builder was told, as data.

mod node;
mod validate;

pub(crate) use node::{Aggregate, Body, Combining, Formats, Graph, GraphNode, Kind, Port};
pub use validate::{REPARTITION_SUFFIX, TopologyError};
pub(crate) use validate::{check_topic, check_topology_name, validate};
