//! Counting records per key.
//!
//! Between commits only additions happen, in one table probe each. What is in the store is looked up once per
//! key and commit.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use thalweg_engine::model::{RECORD_FIXED_SIZE, Timestamp};

use super::context::{Counters, Flush, FlushContext, bump};
use super::{BuildContext, Factory, Link, Meta, OutputTopic, Processor, node};
use crate::serdes::{I64, Serde};
use crate::state::KeyTable;
use crate::task::TaskError;

/// What one key costs a commit besides its bytes: a change of the store and a record that tells of it.
pub(super) const KEY_COST: usize = 2 * (RECORD_FIXED_SIZE + 4);

#[derive(Clone, Copy, Debug, Default)]
struct Partial {
    count: i64,
    timestamp: Timestamp,
}

/// Counts since the last commit, and where they go at the next.
struct Counts<T> {
    table: KeyTable<Partial>,
    counters: Rc<Counters>,
    target: T,
}

impl<T> Counts<T> {
    #[inline]
    fn add(&mut self, key: &[u8], count: i64, timestamp: Timestamp) {
        let (partial, is_new) = self.table.entry(key);
        partial.count = partial.count.saturating_add(count);
        if is_new {
            partial.timestamp = timestamp;
            self.counters.add_pending(KEY_COST + 2 * (key.len() + size_of::<i64>()));
        } else {
            partial.timestamp = partial.timestamp.max(timestamp);
        }
    }
}

/// Counts every record as one.
struct CountRecords<T> {
    counts: Rc<RefCell<Counts<T>>>,
    counters: Rc<Counters>,
}

impl<K: Serde, V: Serde, T> Processor<K, V> for CountRecords<T> {
    fn process(&mut self, key: Option<&K::Ref>, _value: Option<&V::Ref>, meta: &Meta<'_>) {
        match key {
            Some(key) => K::encode(key, |key| self.counts.borrow_mut().add(key, 1, meta.timestamp)),
            None => bump(&self.counters.incomplete),
        }
    }
}

/// Adds up counts that were combined before the repartition.
struct AddCounts<T> {
    counts: Rc<RefCell<Counts<T>>>,
    counters: Rc<Counters>,
}

impl<K: Serde, T> Processor<K, I64> for AddCounts<T> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&i64>, meta: &Meta<'_>) {
        match (key, value) {
            (Some(key), Some(count)) => {
                K::encode(key, |key| self.counts.borrow_mut().add(key, *count, meta.timestamp));
            }
            _ => bump(&self.counters.incomplete),
        }
    }
}

/// Target: a repartition topic.
struct ToTopic(Rc<RefCell<OutputTopic>>);

impl Flush for Counts<ToTopic> {
    fn flush(&mut self, _context: &mut FlushContext<'_>) -> Result<(), TaskError> {
        let mut output = self.target.0.borrow_mut();
        self.table.try_for_each(|key, partial| {
            let meta = Meta { timestamp: partial.timestamp, ..Meta::default() };
            output
                .push(Some(key), Some(&partial.count.to_be_bytes()), &meta)
                .map_err(|source| TaskError::Output { topic: output.name().to_owned(), source })
        })?;
        drop(output);
        self.table.clear();
        Ok(())
    }
}

/// Target: a store, and whoever is told of its changes.
struct ToStore<K: Serde> {
    store: usize,
    name: String,
    next: Link<K, I64>,
    key: PhantomData<fn() -> K>,
}

impl<K: Serde> Flush for Counts<ToStore<K>> {
    fn flush(&mut self, context: &mut FlushContext<'_>) -> Result<(), TaskError> {
        let ToStore { store, name, next, .. } = &mut self.target;
        let store_error = |error| TaskError::store(name, error);
        self.table.try_for_each(|key, partial| {
            let mut stored = Ok(0);
            context.state.lend(*store, key, &mut |bytes| {
                if let Some(bytes) = bytes {
                    stored = I64::decode(bytes, |count| *count);
                }
            });
            let count = stored.map_err(store_error)?.saturating_add(partial.count);
            context.deltas[*store]
                .put(partial.timestamp, key, &count.to_be_bytes())
                .map_err(|source| TaskError::StoreWrite { store: name.clone(), source })?;
            let meta = Meta { timestamp: partial.timestamp, ..Meta::default() };
            K::decode(key, |key| next.process(Some(key), Some(&count), &meta)).map_err(store_error)
        })?;
        self.table.clear();
        Ok(())
    }
}

fn register<T: 'static>(context: &mut BuildContext, target: T) -> Rc<RefCell<Counts<T>>>
where
    Counts<T>: Flush,
{
    let table = KeyTable::default();
    let counts = Rc::new(RefCell::new(Counts { table, counters: Rc::clone(&context.counters), target }));
    context.flush_at_commit(Rc::<RefCell<Counts<T>>>::clone(&counts));
    counts
}

fn to_store<K: Serde>(context: &BuildContext, name: &str, next: Link<K, I64>) -> ToStore<K> {
    ToStore { store: context.store(name), name: name.to_owned(), next, key: PhantomData }
}

/// Counts, and writes one count per key and commit to the repartition topic `topic`.
pub(crate) fn count_combined<K: Serde, V: Serde>(topic: String) -> Box<dyn Factory> {
    node::<K, V, K, I64>(move |context, _| {
        let target = ToTopic(context.output(&topic));
        let counts = register(context, target);
        Box::new(CountRecords { counts, counters: Rc::clone(&context.counters) })
    })
}

/// Adds counts combined before to the store `store`.
pub(crate) fn count_merged<K: Serde>(store: String) -> Box<dyn Factory> {
    node::<K, I64, K, I64>(move |context, next| {
        let target = to_store(context, &store, next);
        let counts = register(context, target);
        Box::new(AddCounts { counts, counters: Rc::clone(&context.counters) })
    })
}

/// Counts into the store `store`.
pub(crate) fn count_direct<K: Serde, V: Serde>(store: String) -> Box<dyn Factory> {
    node::<K, V, K, I64>(move |context, next| {
        let target = to_store(context, &store, next);
        let counts = register(context, target);
        Box::new(CountRecords { counts, counters: Rc::clone(&context.counters) })
    })
}
