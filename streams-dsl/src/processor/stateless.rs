//! Processors that keep nothing between records.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Link, Meta, Processor};
use crate::builder::{Emitter, PairEmitter};
use crate::serdes::Serde;

/// Keeps the records for which `predicate` is `keep`. A record without a value is dropped either way.
pub(crate) struct Filter<K: Serde, V: Serde, F> {
    pub(crate) predicate: Arc<F>,
    pub(crate) keep: bool,
    pub(crate) next: Link<K, V>,
}

impl<K: Serde, V: Serde, F: Fn(Option<&K::Ref>, &V::Ref) -> bool> Processor<K, V> for Filter<K, V, F> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        if value.is_some_and(|value| (self.predicate)(key, value) == self.keep) {
            self.next.process(key, value, meta);
        }
    }
}

/// Sends the records for which `predicate` holds one way and all others the other.
pub(crate) struct Branch<K: Serde, V: Serde, F> {
    pub(crate) predicate: Arc<F>,
    pub(crate) matching: Link<K, V>,
    pub(crate) rest: Link<K, V>,
}

impl<K: Serde, V: Serde, F: Fn(Option<&K::Ref>, &V::Ref) -> bool> Processor<K, V> for Branch<K, V, F> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        let matches = value.is_some_and(|value| (self.predicate)(key, value));
        let next = if matches { &mut self.matching } else { &mut self.rest };
        next.process(key, value, meta);
    }
}

/// Makes one value of each.
pub(crate) struct MapValues<K: Serde, W: Serde, F> {
    pub(crate) function: Arc<F>,
    pub(crate) next: Link<K, W>,
}

impl<K: Serde, V: Serde, W: Serde, F: Fn(&V::Ref) -> W::Owned> Processor<K, V> for MapValues<K, W, F> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        let mapped = value.map(|value| (self.function)(value));
        self.next.process(key, mapped.as_ref().map(Borrow::borrow), meta);
    }
}

/// Makes one value of each, which borrows from it.
pub(crate) struct MapValuesRef<K: Serde, W: Serde, F> {
    pub(crate) function: Arc<F>,
    pub(crate) next: Link<K, W>,
}

impl<K: Serde, V: Serde, W: Serde, F> Processor<K, V> for MapValuesRef<K, W, F>
where
    F: for<'a> Fn(&'a V::Ref) -> &'a W::Ref,
{
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        self.next.process(key, value.map(|value| (self.function)(value)), meta);
    }
}

/// Makes one key and value of each.
pub(crate) struct Map<L: Serde, W: Serde, F> {
    pub(crate) function: Arc<F>,
    pub(crate) next: Link<L, W>,
}

impl<K: Serde, V: Serde, L: Serde, W: Serde, F> Processor<K, V> for Map<L, W, F>
where
    F: Fn(Option<&K::Ref>, &V::Ref) -> (L::Owned, W::Owned),
{
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        let Some(value) = value else { return };
        let (key, value) = (self.function)(key, value);
        self.next.process(Some(key.borrow()), Some(value.borrow()), meta);
    }
}

/// Gives each record a key that borrows from it.
pub(crate) struct SelectKey<V: Serde, L: Serde, F> {
    pub(crate) function: Arc<F>,
    pub(crate) next: Link<L, V>,
}

impl<K: Serde, V: Serde, L: Serde, F> Processor<K, V> for SelectKey<V, L, F>
where
    F: for<'a> Fn(Option<&'a K::Ref>, &'a V::Ref) -> &'a L::Ref,
{
    #[inline]
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        let Some(value) = value else { return };
        self.next.process(Some((self.function)(key, value)), Some(value), meta);
    }
}

/// Makes any number of values of each.
pub(crate) struct FlatMapValues<K: Serde, W: Serde, F> {
    pub(crate) function: Arc<F>,
    pub(crate) next: Link<K, W>,
    pub(crate) scratch: Vec<u8>,
}

impl<K: Serde, V: Serde, W: Serde, F> Processor<K, V> for FlatMapValues<K, W, F>
where
    F: Fn(&V::Ref, &mut Emitter<'_, W>),
{
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        let Some(value) = value else { return };
        let Self { function, next, scratch } = self;
        let mut forward = |value: &W::Ref| next.process(key, Some(value), meta);
        function(value, &mut Emitter::new(&mut forward, scratch));
    }
}

/// Makes any number of keys and values of each.
pub(crate) struct FlatMap<L: Serde, W: Serde, F> {
    pub(crate) function: Arc<F>,
    pub(crate) next: Link<L, W>,
}

impl<K: Serde, V: Serde, L: Serde, W: Serde, F> Processor<K, V> for FlatMap<L, W, F>
where
    F: Fn(Option<&K::Ref>, &V::Ref, &mut PairEmitter<'_, L, W>),
{
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        let Some(value) = value else { return };
        let Self { function, next } = self;
        let mut forward = |key: &L::Ref, value: &W::Ref| next.process(Some(key), Some(value), meta);
        function(key, value, &mut PairEmitter::new(&mut forward));
    }
}

/// Shows each record to a function and hands it on.
pub(crate) struct Peek<K: Serde, V: Serde, F> {
    pub(crate) function: Arc<F>,
    pub(crate) next: Link<K, V>,
}

impl<K: Serde, V: Serde, F: Fn(Option<&K::Ref>, &V::Ref)> Processor<K, V> for Peek<K, V, F> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        if let Some(value) = value {
            (self.function)(key, value);
        }
        self.next.process(key, value, meta);
    }
}

/// Hands on what it gets.
pub(crate) struct Pass<K: Serde, V: Serde> {
    pub(crate) next: Link<K, V>,
    pub(crate) types: PhantomData<fn() -> (K, V)>,
}

impl<K: Serde, V: Serde> Processor<K, V> for Pass<K, V> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        self.next.process(key, value, meta);
    }
}
