//! The processors of one task.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Effects, TaskError};
use crate::processor::{
    AnyLink, BuildContext, Counters, Flush, FlushContext, OutputTopic, SourceLink, StoreDelta,
};
use crate::state::StateView;
use crate::topology::{Role, SubTopology, Topology};

/// The processors of one task, with everything that they keep between records.
pub(crate) struct Pipeline {
    /// One entry per topic of the sub-topology, in its order: all that read this topic.
    sources: Vec<Vec<SourceLink>>,
    /// In the order of the plan: what one hands on at a commit, a later one takes into the same commit.
    flushes: Vec<Rc<RefCell<dyn Flush>>>,
    outputs: Vec<Rc<RefCell<OutputTopic>>>,
    /// For each topic read, and for each written, whether it is the topology's own.
    internal: (Vec<bool>, Vec<bool>),
    deltas: Vec<StoreDelta>,
    counters: Rc<Counters>,
    state: Rc<dyn StateView>,
}

impl Pipeline {
    /// `partitions`: how many a topic has that the sub-topology writes.
    pub(crate) fn new(
        topology: &Topology,
        sub: &SubTopology,
        partition: u32,
        partitions: &dyn Fn(&str) -> u32,
        state: Rc<dyn StateView>,
    ) -> Self {
        let output =
            |topic: &String| Rc::new(RefCell::new(OutputTopic::new(topic, partitions(topic), partition)));
        let mut context = BuildContext {
            node: 0,
            counters: Rc::new(Counters::default()),
            state,
            stores: sub.stores.clone(),
            outputs: sub.sinks.iter().map(output).collect(),
            flushes: Vec::new(),
        };
        let sources = build(topology, sub, &mut context);
        let own = topology.internal_topics();
        let is_own = |topic: &String| own.iter().any(|(name, _)| name == topic);
        let internal = (sub.sources.iter().map(is_own).collect(), sub.sinks.iter().map(is_own).collect());
        let mut flushes = context.flushes;
        flushes.sort_by_key(|(node, _)| *node);
        Self {
            sources,
            flushes: flushes.into_iter().map(|(_, flush)| flush).collect(),
            outputs: context.outputs,
            internal,
            deltas: sub.stores.iter().map(|_| StoreDelta::default()).collect(),
            counters: context.counters,
            state: context.state,
        }
    }

    /// What reads topic number `input`.
    pub(crate) fn sources(&mut self, input: usize) -> &mut [SourceLink] {
        &mut self.sources[input]
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether topic number `input` is the topology's own.
    pub(crate) fn is_internal(&self, input: usize) -> bool {
        self.internal.0[input]
    }

    /// Records written so far, those of the next commit included, to topics of which `which` holds: it is told
    /// whether a topic is the topology's own.
    pub(crate) fn records_out(&self, which: impl Fn(bool) -> bool) -> u64 {
        let outputs = self.outputs.iter().zip(&self.internal.1).filter(|(_, is_own)| which(**is_own));
        outputs.map(|(output, _)| output.borrow().records()).sum()
    }

    /// Empties everything into one commit. The commit before is applied.
    pub(crate) fn flush(&mut self) -> Result<Effects, TaskError> {
        let Self { flushes, outputs, deltas, counters, state, .. } = self;
        for flush in flushes.iter() {
            let mut context = FlushContext { state: &**state, deltas };
            flush.borrow_mut().flush(&mut context)?;
        }
        counters.pending.set(0);
        if let Some(error) = counters.failure.borrow_mut().take() {
            return Err(error);
        }
        let mut effects = Effects::default();
        for (store, delta) in deltas.iter_mut().enumerate() {
            effects.deltas.extend(delta.take().into_iter().map(|batch| (store, batch)));
        }
        for (output, topic) in outputs.iter().enumerate() {
            let batches = topic.borrow_mut().take();
            effects.outputs.extend(batches.into_iter().map(|(partition, batch)| (output, partition, batch)));
        }
        Ok(effects)
    }
}

/// Makes all processors, last first, and returns the sources by topic.
fn build(topology: &Topology, sub: &SubTopology, context: &mut BuildContext) -> Vec<Vec<SourceLink>> {
    let nodes = topology.nodes();
    // What is connected to each way out of each node, last first.
    let mut connected: Vec<[Vec<AnyLink>; 2]> = nodes.iter().map(|_| Default::default()).collect();
    let mut sources: Vec<Vec<SourceLink>> = sub.sources.iter().map(|_| Vec::new()).collect();
    for &index in sub.nodes.iter().rev() {
        let node = &nodes[index];
        let mut ports: Vec<Vec<AnyLink>> = std::mem::take(&mut connected[index]).into_iter().collect();
        ports.iter_mut().for_each(|links| links.reverse());
        context.node = index;
        let link = node.factory.build(context, ports);
        if let Role::Source { topic } = &node.role {
            let place = sub.sources.iter().position(|source| source == topic);
            sources[place.expect("a sub-topology lists its sources")].push(link.into());
            continue;
        }
        let copies = node.factory.share(link, node.inputs.len());
        for (input, link) in node.inputs.iter().zip(copies) {
            connected[input.node][input.way].push(link);
        }
    }
    sources.iter_mut().for_each(|links| links.reverse());
    sources
}
