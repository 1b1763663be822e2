//! Branches of a stream.

use std::fmt;
use std::sync::Arc;

use super::KStream;
use crate::graph::{Kind, Port, TopologyError};
use crate::processor::{Branch, two_way};
use crate::serdes::Serde;

/// A stream being split: each record goes to the first branch whose predicate holds for it, or to the default
/// branch, or nowhere.
pub struct SplitStream<K, V> {
    /// What no branch has taken so far.
    rest: KStream<K, V>,
    is_complete: bool,
}

impl<K: Serde, V: Serde> SplitStream<K, V> {
    pub(super) fn new(stream: KStream<K, V>) -> Self {
        Self { rest: stream, is_complete: false }
    }

    /// The records for which `predicate` holds and that no earlier branch took.
    pub fn branch(
        &mut self,
        predicate: impl Fn(Option<&K::Ref>, &V::Ref) -> bool + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.check_open();
        let predicate = Arc::new(predicate);
        let factory = two_way::<K, V>(move |matching, rest| {
            Box::new(Branch { predicate: Arc::clone(&predicate), matching, rest })
        });
        let kind = Kind::Processor { has_effect: false };
        let rest = &self.rest;
        let branch: KStream<K, V> = rest.add("branch", kind, vec![rest.port], factory, rest.is_rekeyed);
        let other = Port { way: 1, ..branch.port };
        self.rest = KStream::new(&branch.graph, other, branch.is_rekeyed);
        branch
    }

    /// The records that no branch took. The last call.
    pub fn default_branch(&mut self) -> KStream<K, V> {
        self.check_open();
        self.is_complete = true;
        self.rest.clone()
    }

    fn check_open(&self) {
        if self.is_complete {
            self.rest.graph.borrow_mut().problems.push(TopologyError::BranchBehindDefault);
        }
    }
}

impl<K, V> fmt::Debug for SplitStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplitStream").field("rest", &self.rest).finish_non_exhaustive()
    }
}
