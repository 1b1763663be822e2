//! Reducing the values of each key to one.
//!
//! The function is associative: values since the last commit are reduced among themselves, and with what is in
//! the store at the commit.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use thalweg_engine::model::Timestamp;

use super::context::{Counters, Flush, FlushContext, bump};
use super::count::KEY_COST;
use super::{BuildContext, Factory, Link, Meta, OutputTopic, Processor, node};
use crate::serdes::{DecodeError, Serde};
use crate::state::KeyTable;
use crate::task::TaskError;

/// The value of one key in its encoded form.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) timestamp: Timestamp,
}

impl Encoded {
    /// Replaces the value, and says by how many bytes it grew.
    pub(super) fn set<V: Serde>(&mut self, value: &V::Ref) -> usize {
        let before = self.bytes.len();
        self.bytes.clear();
        V::encode(value, |bytes| self.bytes.extend_from_slice(bytes));
        self.bytes.len().saturating_sub(before)
    }
}

/// Values since the last commit, and where they go at the next.
struct Values<V, F, T> {
    table: KeyTable<Encoded>,
    function: Arc<F>,
    counters: Rc<Counters>,
    target: T,
    value: PhantomData<fn() -> V>,
}

impl<V: Serde, F: Fn(&V::Ref, &V::Ref) -> V::Owned, T> Values<V, F, T> {
    fn add(&mut self, key: &[u8], value: &V::Ref, timestamp: Timestamp) -> Result<(), DecodeError> {
        let (current, is_new) = self.table.entry(key);
        let grown = if is_new {
            current.timestamp = timestamp;
            self.counters.add_pending(KEY_COST + 2 * key.len());
            current.set::<V>(value)
        } else {
            current.timestamp = current.timestamp.max(timestamp);
            let reduced = V::decode(&current.bytes, |before| (self.function)(before, value))?;
            current.set::<V>(reduced.borrow())
        };
        self.counters.add_pending(2 * grown);
        Ok(())
    }
}

struct ReduceRecords<V, F, T> {
    values: Rc<RefCell<Values<V, F, T>>>,
    counters: Rc<Counters>,
    name: String,
}

impl<K: Serde, V: Serde, F: Fn(&V::Ref, &V::Ref) -> V::Owned, T> Processor<K, V> for ReduceRecords<V, F, T> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        let (Some(key), Some(value)) = (key, value) else {
            bump(&self.counters.incomplete);
            return;
        };
        let result = K::encode(key, |key| self.values.borrow_mut().add(key, value, meta.timestamp));
        if let Err(error) = result {
            self.counters.fail(TaskError::store(&self.name, error));
        }
    }
}

/// Target: a repartition topic.
struct ToTopic(Rc<RefCell<OutputTopic>>);

impl<V: Serde, F> Flush for Values<V, F, ToTopic> {
    fn flush(&mut self, _context: &mut FlushContext<'_>) -> Result<(), TaskError> {
        let mut output = self.target.0.borrow_mut();
        self.table.try_for_each(|key, value| {
            let meta = Meta { timestamp: value.timestamp, ..Meta::default() };
            output
                .push(Some(key), Some(&value.bytes), &meta)
                .map_err(|source| TaskError::Output { topic: output.name().to_owned(), source })
        })?;
        drop(output);
        self.table.clear();
        Ok(())
    }
}

/// Target: a store, and whoever is told of its changes.
struct ToStore<K: Serde, V: Serde> {
    store: usize,
    name: String,
    next: Link<K, V>,
}

impl<K: Serde, V: Serde, F: Fn(&V::Ref, &V::Ref) -> V::Owned> Flush for Values<V, F, ToStore<K, V>> {
    fn flush(&mut self, context: &mut FlushContext<'_>) -> Result<(), TaskError> {
        let ToStore { store, name, next } = &mut self.target;
        let function = &self.function;
        let store_error = |error| TaskError::store(name, error);
        let mut reduced = Encoded::default();
        self.table.try_for_each(|key, value| {
            let mut result = Ok(());
            context.state.lend(*store, key, &mut |stored| {
                result = reduce_with_stored::<V>(&**function, stored, &value.bytes, &mut reduced);
            });
            result.map_err(store_error)?;
            context.deltas[*store]
                .put(value.timestamp, key, &reduced.bytes)
                .map_err(|source| TaskError::StoreWrite { store: name.clone(), source })?;
            let meta = Meta { timestamp: value.timestamp, ..Meta::default() };
            forward::<K, V>(next, key, &reduced.bytes, &meta).map_err(store_error)
        })?;
        self.table.clear();
        Ok(())
    }
}

fn reduce_with_stored<V: Serde>(
    function: &impl Fn(&V::Ref, &V::Ref) -> V::Owned,
    stored: Option<&[u8]>,
    value: &[u8],
    into: &mut Encoded,
) -> Result<(), DecodeError> {
    let Some(stored) = stored else {
        into.bytes.clear();
        into.bytes.extend_from_slice(value);
        return Ok(());
    };
    let reduced = V::decode(stored, |stored| V::decode(value, |value| function(stored, value)))??;
    into.set::<V>(reduced.borrow());
    Ok(())
}

/// Hands an encoded key and value to `next`.
pub(super) fn forward<K: Serde, V: Serde>(
    next: &mut Link<K, V>,
    key: &[u8],
    value: &[u8],
    meta: &Meta<'_>,
) -> Result<(), DecodeError> {
    K::decode(key, |key| V::decode(value, |value| next.process(Some(key), Some(value), meta)))?
}

fn register<V: Serde, F, T>(
    context: &mut BuildContext,
    function: &Arc<F>,
    target: T,
) -> Rc<RefCell<Values<V, F, T>>>
where
    F: 'static,
    T: 'static,
    Values<V, F, T>: Flush,
{
    let values = Rc::new(RefCell::new(Values {
        table: KeyTable::default(),
        function: Arc::clone(function),
        counters: Rc::clone(&context.counters),
        target,
        value: PhantomData,
    }));
    context.flush_at_commit(Rc::<RefCell<Values<V, F, T>>>::clone(&values));
    values
}

/// Reduces, and writes one value per key and commit to the repartition topic `topic`.
pub(crate) fn reduce_combined<K: Serde, V: Serde, F>(topic: String, function: Arc<F>) -> Box<dyn Factory>
where
    F: Fn(&V::Ref, &V::Ref) -> V::Owned + Send + Sync + 'static,
{
    node::<K, V, K, V>(move |context, _| {
        let target = ToTopic(context.output(&topic));
        let values = register::<V, F, _>(context, &function, target);
        Box::new(ReduceRecords { values, counters: Rc::clone(&context.counters), name: topic.clone() })
    })
}

/// Reduces into the store `store`.
pub(crate) fn reduce_stored<K: Serde, V: Serde, F>(store: String, function: Arc<F>) -> Box<dyn Factory>
where
    F: Fn(&V::Ref, &V::Ref) -> V::Owned + Send + Sync + 'static,
{
    node::<K, V, K, V>(move |context, next| {
        let target = ToStore { store: context.store(&store), name: store.clone(), next };
        let values = register::<V, F, _>(context, &function, target);
        Box::new(ReduceRecords { values, counters: Rc::clone(&context.counters), name: store.clone() })
    })
}
