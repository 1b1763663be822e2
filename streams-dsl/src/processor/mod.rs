//! What runs: one processor per node and task, linked by direct calls.
//!
//! Invariant: nothing here reads a clock, waits or knows a topic's name. Whatever a processor keeps between
//! records is in a [`Flush`]able state that the task empties at each commit.

mod context;
mod count;
mod factory;
mod fold;
mod link;
mod output;
mod reduce;
mod source;
mod stateless;

pub(crate) use context::{BuildContext, Counters, Flush, FlushContext, StoreDelta};
pub(crate) use count::{count_combined, count_direct, count_merged};
pub(crate) use factory::{AnyLink, Factory, node, two_way};
pub(crate) use fold::fold;
pub(crate) use link::{Link, Meta, Processor};
pub(crate) use output::{OutputTopic, sink};
pub(crate) use reduce::{reduce_combined, reduce_stored};
pub(crate) use source::{SourceLink, source};
pub(crate) use stateless::{
    Branch, Filter, FlatMap, FlatMapValues, Map, MapValues, MapValuesRef, Pass, Peek, SelectKey,
};
