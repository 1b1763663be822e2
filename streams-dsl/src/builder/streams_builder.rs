//! Where topologies begin and end.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::KStream;
use crate::graph::{Body, Formats, Graph, Kind, TopologyError};
use crate::processor::source;
use crate::serdes::Serde;
use crate::topology::{PlanOptions, Topology};

/// Builds a [`Topology`], node by node.
///
/// Its methods and those of the streams never fail: what is wrong is said by [`StreamsBuilder::build`].
#[derive(Default)]
pub struct StreamsBuilder {
    graph: Rc<RefCell<Graph>>,
}

impl StreamsBuilder {
    /// A builder of a topology without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `topic`, whose keys are `K` and whose values are `V`.
    ///
    /// Records that are not of those formats are counted and skipped. A record without key or value is not
    /// among them.
    pub fn stream<K: Serde, V: Serde>(&self, topic: &str) -> KStream<K, V> {
        let port = self.graph.borrow_mut().add(
            "source",
            Kind::Source { topic: topic.to_owned() },
            Vec::new(),
            Formats { key: K::NAME, value: V::NAME },
            Body::Plain(Arc::from(source::<K, V>())),
        );
        KStream::new(&self.graph, port, false)
    }

    /// Checks the topology and plans how it runs. `name`: part of the names of its internal topics, stores and
    /// positions; a topology that is built again under this name goes on where it was.
    ///
    /// # Errors
    /// [`TopologyError`]: the first thing that is wrong.
    pub fn build(&self, name: &str) -> Result<Topology, TopologyError> {
        self.build_with(name, PlanOptions::default())
    }

    /// As [`StreamsBuilder::build`], with options.
    ///
    /// # Errors
    /// As [`StreamsBuilder::build`].
    pub fn build_with(&self, name: &str, options: PlanOptions) -> Result<Topology, TopologyError> {
        Topology::plan(name, &self.graph.borrow(), options)
    }
}

impl fmt::Debug for StreamsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamsBuilder").field("nodes", &self.graph.borrow().nodes.len()).finish()
    }
}
