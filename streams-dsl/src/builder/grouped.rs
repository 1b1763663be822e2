//! Streams grouped by key, and their aggregations.

use std::fmt;
use std::sync::Arc;

use super::{KStream, KTable};
use crate::graph::{Aggregate, Body, Combining, Formats, Kind};
use crate::processor::{
    Factory, count_combined, count_direct, count_merged, fold, reduce_combined, reduce_stored, sink, source,
};
use crate::serdes::{I64, Serde};

/// A stream whose records are aggregated by key `K`.
///
/// Every aggregation keeps its state in a store that the caller names: under that name a topology that was
/// changed finds its state again. Where keys were changed, records are first partitioned anew through an
/// internal topic, `TOPOLOGY-STORE-repartition`.
///
/// Its table tells of each key that changed once per commit, with the timestamp of the latest input of that
/// commit.
pub struct GroupedStream<K, V> {
    stream: KStream<K, V>,
}

impl<K: Serde, V: Serde> GroupedStream<K, V> {
    pub(super) fn new(stream: KStream<K, V>) -> Self {
        Self { stream }
    }

    /// Counts the records of each key in the store `store`.
    pub fn count(&self, store: &str) -> KTable<K, I64> {
        self.aggregation(
            "count",
            store,
            Aggregate {
                direct: Arc::from(count_direct::<K, V>(store.to_owned())),
                sink: sink::<K, V>,
                source: source::<K, V>,
                combining: Some(Combining {
                    before: Box::new(count_combined::<K, V>),
                    source: source::<K, I64>,
                    after: Arc::from(count_merged::<K>(store.to_owned())),
                }),
            },
        )
    }

    /// Reduces the values of each key to one in the store `store`. `function`: of the value so far and a later
    /// one; it must be associative, since later values are reduced among themselves first. The first value of a
    /// key is kept as it is.
    pub fn reduce(
        &self,
        store: &str,
        function: impl Fn(&V::Ref, &V::Ref) -> V::Owned + Send + Sync + 'static,
    ) -> KTable<K, V> {
        let function = Arc::new(function);
        let stored = || -> Arc<dyn Factory> {
            Arc::from(reduce_stored::<K, V, _>(store.to_owned(), Arc::clone(&function)))
        };
        let (direct, after) = (stored(), stored());
        self.aggregation(
            "reduce",
            store,
            Aggregate {
                direct,
                sink: sink::<K, V>,
                source: source::<K, V>,
                combining: Some(Combining {
                    before: Box::new(move |topic| reduce_combined::<K, V, _>(topic, Arc::clone(&function))),
                    source: source::<K, V>,
                    after,
                }),
            },
        )
    }

    /// Folds the values of each key, one by one, into an aggregate in the store `store`. `initial` makes the
    /// aggregate of a new key, `function` that after a record from its key, value and the aggregate before.
    pub fn aggregate<A: Serde>(
        &self,
        store: &str,
        initial: impl Fn() -> A::Owned + Send + Sync + 'static,
        function: impl Fn(&K::Ref, &V::Ref, &A::Ref) -> A::Owned + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let factory = fold::<K, V, A, _, _>(store.to_owned(), Arc::new(initial), Arc::new(function));
        self.aggregation(
            "aggregate",
            store,
            Aggregate {
                direct: Arc::from(factory),
                sink: sink::<K, V>,
                source: source::<K, V>,
                combining: None,
            },
        )
    }

    fn aggregation<A: Serde>(&self, label: &str, store: &str, aggregate: Aggregate) -> KTable<K, A> {
        let kind = Kind::Aggregate { store: store.to_owned(), repartition: self.stream.is_rekeyed };
        let formats = Formats { key: K::NAME, value: A::NAME };
        let inputs = vec![self.stream.port];
        let body = Body::Aggregate(aggregate);
        let port = self.stream.graph.borrow_mut().add(label, kind, inputs, formats, body);
        KTable::new(KStream::new(&self.stream.graph, port, false))
    }
}

impl<K, V> fmt::Debug for GroupedStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupedStream").field("stream", &self.stream).finish()
    }
}
