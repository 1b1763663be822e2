//! The logical graph: what the builder was told, as data.

mod node;
mod validate;

pub(crate) use node::{Aggregate, Body, Combining, Formats, Graph, GraphNode, Kind, Port};
pub use validate::TopologyError;
pub(crate) use validate::{REPARTITION_SUFFIX, check_topology_name, validate};
