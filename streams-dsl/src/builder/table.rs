//! Tables.

use std::fmt;

use super::KStream;
use crate::serdes::Serde;

/// The latest value of each key, kept in a store: what an aggregation makes.
pub struct KTable<K, V> {
    changes: KStream<K, V>,
}

impl<K: Serde, V: Serde> KTable<K, V> {
    pub(super) fn new(changes: KStream<K, V>) -> Self {
        Self { changes }
    }

    /// The changes of the table: each key that changed, once per commit, with its new value.
    #[must_use]
    pub fn to_stream(&self) -> KStream<K, V> {
        self.changes.clone()
    }
}

impl<K, V> fmt::Debug for KTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KTable").field("changes", &self.changes).finish()
    }
}
