//! The logical graph: what the builder was told, as data.

mod internal;
mod node;
mod validate;

pub use internal::REPARTITION_SUFFIX;
pub(crate) use internal::{is_repartition_topic_of, repartition_topic, resetting_topic};
pub(crate) use node::{Aggregate, Body, Combining, Formats, Graph, GraphNode, Kind, Port};
pub use validate::TopologyError;
pub(crate) use validate::{check_topic, check_topology_name, validate};
