//! Folding the values of each key into an aggregate of another type.
//!
//! The function need not be associative, so every record needs the aggregate as the records before it left
//! it: changed since the last commit, or in the commit that is still on its way, or in the store.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::context::{Counters, Flush, FlushContext, bump};
use super::count::KEY_COST;
use super::reduce::{Encoded, forward};
use super::{Factory, Link, Meta, Processor, node};
use crate::serdes::{DecodeError, Serde};
use crate::state::{KeyTable, StateView};
use crate::task::TaskError;

struct Aggregates<K: Serde, A: Serde> {
    changed: KeyTable<Encoded>,
    /// What the last commit took: in the store once that commit is applied.
    committing: KeyTable<Encoded>,
    state: Rc<dyn StateView>,
    store: usize,
    name: String,
    next: Link<K, A>,
    counters: Rc<Counters>,
}

impl<K: Serde, A: Serde> Aggregates<K, A> {
    fn update(
        &mut self,
        key: &[u8],
        meta: &Meta<'_>,
        initial: impl FnOnce() -> A::Owned,
        step: impl FnOnce(&A::Ref) -> A::Owned,
    ) -> Result<(), DecodeError> {
        let (current, is_new) = self.changed.entry(key);
        current.timestamp = if is_new { meta.timestamp } else { current.timestamp.max(meta.timestamp) };
        let mut grown = 0;
        if is_new {
            self.counters.add_pending(KEY_COST + 2 * key.len());
            if let Some(before) = self.committing.get(key) {
                current.bytes.extend_from_slice(&before.bytes);
            } else {
                let mut found = false;
                self.state.lend(self.store, key, &mut |stored| {
                    found = stored.is_some();
                    current.bytes.extend_from_slice(stored.unwrap_or_default());
                });
                if !found {
                    current.set::<A>(initial().borrow());
                }
            }
            grown = current.bytes.len();
        }
        let after = A::decode(&current.bytes, step)?;
        grown += current.set::<A>(after.borrow());
        self.counters.add_pending(2 * grown);
        Ok(())
    }
}

impl<K: Serde, A: Serde> Flush for Aggregates<K, A> {
    fn flush(&mut self, context: &mut FlushContext<'_>) -> Result<(), TaskError> {
        let Self { changed, next, name, store, .. } = self;
        changed.try_for_each(|key, value| {
            context.deltas[*store]
                .put(value.timestamp, key, &value.bytes)
                .map_err(|source| TaskError::StoreWrite { store: name.clone(), source })?;
            let meta = Meta { timestamp: value.timestamp, ..Meta::default() };
            forward::<K, A>(next, key, &value.bytes, &meta).map_err(|error| TaskError::store(name, error))
        })?;
        self.committing.clear();
        std::mem::swap(&mut self.changed, &mut self.committing);
        Ok(())
    }
}

struct FoldRecords<K: Serde, V: Serde, A: Serde, I, F> {
    aggregates: Rc<RefCell<Aggregates<K, A>>>,
    initial: Arc<I>,
    function: Arc<F>,
    counters: Rc<Counters>,
    value: PhantomData<fn() -> V>,
}

impl<K: Serde, V: Serde, A: Serde, I, F> Processor<K, V> for FoldRecords<K, V, A, I, F>
where
    I: Fn() -> A::Owned,
    F: Fn(&K::Ref, &V::Ref, &A::Ref) -> A::Owned,
{
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        let (Some(key), Some(value)) = (key, value) else {
            bump(&self.counters.incomplete);
            return;
        };
        let mut aggregates = self.aggregates.borrow_mut();
        let result = K::encode(key, |bytes| {
            let step = |aggregate: &A::Ref| (self.function)(key, value, aggregate);
            aggregates.update(bytes, meta, || (self.initial)(), step)
        });
        if let Err(error) = result {
            self.counters.fail(TaskError::store(&aggregates.name, error));
        }
    }
}

/// Folds into the store `store`.
pub(crate) fn fold<K: Serde, V: Serde, A: Serde, I, F>(
    store: String,
    initial: Arc<I>,
    function: Arc<F>,
) -> Box<dyn Factory>
where
    I: Fn() -> A::Owned + Send + Sync + 'static,
    F: Fn(&K::Ref, &V::Ref, &A::Ref) -> A::Owned + Send + Sync + 'static,
{
    node::<K, V, K, A>(move |context, next| {
        let aggregates = Rc::new(RefCell::new(Aggregates {
            changed: KeyTable::default(),
            committing: KeyTable::default(),
            state: Rc::clone(&context.state),
            store: context.store(&store),
            name: store.clone(),
            next,
            counters: Rc::clone(&context.counters),
        }));
        context.flush_at_commit(Rc::<RefCell<Aggregates<K, A>>>::clone(&aggregates));
        Box::new(FoldRecords {
            aggregates,
            initial: Arc::clone(&initial),
            function: Arc::clone(&function),
            counters: Rc::clone(&context.counters),
            value: PhantomData::<fn() -> V>,
        })
    })
}
