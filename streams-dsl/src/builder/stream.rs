//! Streams of records.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::{Emitter, GroupedStream, PairEmitter, SplitStream};
use crate::graph::{Body, Formats, Graph, Kind, Port, TopologyError};
use crate::processor::{
    Factory, Filter, FlatMap, FlatMapValues, Map, MapValues, MapValuesRef, Pass, Peek, SelectKey, node, sink,
};
use crate::serdes::Serde;

/// A stream of records with keys `K` and values `V`: each record stands for itself.
///
/// A record may have no key: closures see an `Option`. A record may have no value: closures are not called for
/// it. `map_values`, `peek`, `merge` and `to` hand it on as it is; `filter`, `filter_not`, `map`, `flat_map`,
/// `flat_map_values` and `select_key` drop it; a `branch` leaves it to the next.
pub struct KStream<K, V> {
    pub(super) graph: Rc<RefCell<Graph>>,
    pub(super) port: Port,
    /// Whether keys may differ from those by which the topic is partitioned.
    pub(super) is_rekeyed: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        Self { graph: Rc::clone(&self.graph), types: PhantomData, ..*self }
    }
}

impl<K: Serde, V: Serde> KStream<K, V> {
    pub(super) fn new(graph: &Rc<RefCell<Graph>>, port: Port, is_rekeyed: bool) -> Self {
        Self { graph: Rc::clone(graph), port, is_rekeyed, types: PhantomData }
    }

    /// Keeps the records for which `predicate` holds.
    pub fn filter(
        &self,
        predicate: impl Fn(Option<&K::Ref>, &V::Ref) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.filter_node("filter", predicate, true)
    }

    /// Keeps the records for which `predicate` does not hold.
    pub fn filter_not(
        &self,
        predicate: impl Fn(Option<&K::Ref>, &V::Ref) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.filter_node("filter-not", predicate, false)
    }

    /// Makes of each record one key and one value.
    pub fn map<L: Serde, W: Serde>(
        &self,
        function: impl Fn(Option<&K::Ref>, &V::Ref) -> (L::Owned, W::Owned) + Send + Sync + 'static,
    ) -> KStream<L, W> {
        let function = Arc::new(function);
        let factory =
            node::<K, V, L, W>(move |_, next| Box::new(Map { function: Arc::clone(&function), next }));
        self.then("map", factory, true)
    }

    /// Makes of each value one value.
    pub fn map_values<W: Serde>(
        &self,
        function: impl Fn(&V::Ref) -> W::Owned + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let function = Arc::new(function);
        let factory =
            node::<K, V, K, W>(move |_, next| Box::new(MapValues { function: Arc::clone(&function), next }));
        self.then("map-values", factory, self.is_rekeyed)
    }

    /// Makes of each value one value that borrows from it, as a part of a text does.
    pub fn map_values_ref<W: Serde>(
        &self,
        function: impl for<'a> Fn(&'a V::Ref) -> &'a W::Ref + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let function = Arc::new(function);
        let factory = node::<K, V, K, W>(move |_, next| {
            Box::new(MapValuesRef { function: Arc::clone(&function), next })
        });
        self.then("map-values", factory, self.is_rekeyed)
    }

    /// Makes of each record any number of keys and values.
    pub fn flat_map<L: Serde, W: Serde>(
        &self,
        function: impl Fn(Option<&K::Ref>, &V::Ref, &mut PairEmitter<'_, L, W>) + Send + Sync + 'static,
    ) -> KStream<L, W> {
        let function = Arc::new(function);
        let factory =
            node::<K, V, L, W>(move |_, next| Box::new(FlatMap { function: Arc::clone(&function), next }));
        self.then("flat-map", factory, true)
    }

    /// Makes of each value any number of values; see [`words`](crate::words).
    pub fn flat_map_values<W: Serde>(
        &self,
        function: impl Fn(&V::Ref, &mut Emitter<'_, W>) + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let function = Arc::new(function);
        let factory = node::<K, V, K, W>(move |_, next| {
            Box::new(FlatMapValues { function: Arc::clone(&function), next, scratch: Vec::new() })
        });
        self.then("flat-map-values", factory, self.is_rekeyed)
    }

    /// Gives each record a key that borrows from its key or value. For keys that are computed: [`KStream::map`].
    pub fn select_key<L: Serde>(
        &self,
        function: impl for<'a> Fn(Option<&'a K::Ref>, &'a V::Ref) -> &'a L::Ref + Send + Sync + 'static,
    ) -> KStream<L, V> {
        self.rekey("select-key", function)
    }

    /// Shows each record to `function`, as often as it is processed: more than once after a crash.
    pub fn peek(&self, function: impl Fn(Option<&K::Ref>, &V::Ref) + Send + Sync + 'static) -> Self {
        let function = Arc::new(function);
        let factory =
            node::<K, V, K, V>(move |_, next| Box::new(Peek { function: Arc::clone(&function), next }));
        let kind = Kind::Processor { has_effect: true };
        self.add("peek", kind, vec![self.port], factory, self.is_rekeyed)
    }

    /// The records of both streams. Those of one partition keep their order; between the streams there is none.
    pub fn merge(&self, other: &Self) -> Self {
        let mut inputs = vec![self.port];
        if Rc::ptr_eq(&self.graph, &other.graph) {
            inputs.push(other.port);
        } else {
            self.graph.borrow_mut().problems.push(TopologyError::ForeignStream);
        }
        let factory = node::<K, V, K, V>(|_, next| Box::new(Pass { next, types: PhantomData }));
        let kind = Kind::Processor { has_effect: false };
        self.add("merge", kind, inputs, factory, self.is_rekeyed || other.is_rekeyed)
    }

    /// Begins to split the stream into branches.
    #[must_use]
    pub fn split(&self) -> SplitStream<K, V> {
        SplitStream::new(self.clone())
    }

    /// Groups records by a key that borrows from their key or value.
    pub fn group_by<L: Serde>(
        &self,
        function: impl for<'a> Fn(Option<&'a K::Ref>, &'a V::Ref) -> &'a L::Ref + Send + Sync + 'static,
    ) -> GroupedStream<L, V> {
        GroupedStream::new(self.rekey("group-by", function))
    }

    /// Groups records by their key. Records without one are counted and skipped.
    #[must_use]
    pub fn group_by_key(&self) -> GroupedStream<K, V> {
        GroupedStream::new(self.clone())
    }

    /// Writes every record to `topic`: with a key, to the partition that Kafka's clients would choose; without,
    /// to the partition of the input's number.
    pub fn to(&self, topic: &str) {
        let kind = Kind::Sink { topic: topic.to_owned() };
        self.add::<K, V>("sink", kind, vec![self.port], sink::<K, V>(topic.to_owned()), self.is_rekeyed);
    }

    fn filter_node(
        &self,
        label: &str,
        predicate: impl Fn(Option<&K::Ref>, &V::Ref) -> bool + Send + Sync + 'static,
        keep: bool,
    ) -> Self {
        let predicate = Arc::new(predicate);
        let factory = node::<K, V, K, V>(move |_, next| {
            Box::new(Filter { predicate: Arc::clone(&predicate), keep, next })
        });
        self.then(label, factory, self.is_rekeyed)
    }

    fn rekey<L: Serde>(
        &self,
        label: &str,
        function: impl for<'a> Fn(Option<&'a K::Ref>, &'a V::Ref) -> &'a L::Ref + Send + Sync + 'static,
    ) -> KStream<L, V> {
        let function = Arc::new(function);
        let factory =
            node::<K, V, L, V>(move |_, next| Box::new(SelectKey { function: Arc::clone(&function), next }));
        self.then(label, factory, true)
    }

    /// Adds a node behind this one.
    fn then<L: Serde, W: Serde>(
        &self,
        label: &str,
        factory: Box<dyn Factory>,
        is_rekeyed: bool,
    ) -> KStream<L, W> {
        self.add(label, Kind::Processor { has_effect: false }, vec![self.port], factory, is_rekeyed)
    }

    pub(super) fn add<L: Serde, W: Serde>(
        &self,
        label: &str,
        kind: Kind,
        inputs: Vec<Port>,
        factory: Box<dyn Factory>,
        is_rekeyed: bool,
    ) -> KStream<L, W> {
        let formats = Formats { key: L::NAME, value: W::NAME };
        let body = Body::Plain(Arc::from(factory));
        let port = self.graph.borrow_mut().add(label, kind, inputs, formats, body);
        KStream::new(&self.graph, port, is_rekeyed)
    }
}

impl<K, V> fmt::Debug for KStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KStream").field("port", &self.port).finish_non_exhaustive()
    }
}
