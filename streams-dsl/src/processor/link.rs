//! How processors call each other.

use thalweg_engine::model::{HeadersRef, Timestamp};

use crate::serdes::Serde;

/// What travels with a record besides key and value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meta<'a> {
    /// The largest timestamp of all inputs that the record was made of.
    pub(crate) timestamp: Timestamp,
    /// Headers of the input; none behind an aggregation.
    pub(crate) headers: HeadersRef<'a>,
}

/// One step of a topology, in one task.
pub(crate) trait Processor<K: Serde, V: Serde> {
    /// Takes a record, and hands on what it makes of it before it returns.
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>);
}

/// A processor as its predecessor holds it.
pub(crate) type Link<K, V> = Box<dyn Processor<K, V>>;
