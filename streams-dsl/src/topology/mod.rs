//! The physical plan: sub-topologies between topics, each run by one task per partition.

mod cut;
mod describe;
mod mermaid;
mod plan;

pub(crate) use plan::{PlanNode, Role};
pub use plan::{PlanOptions, SubTopology, Topology};
