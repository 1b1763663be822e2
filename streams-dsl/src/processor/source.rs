//! From a record's bytes to keys and values.

use std::marker::PhantomData;
use std::rc::Rc;

use thalweg_engine::model::RecordRef;

use super::context::{Counters, bump};
use super::factory::join;
use super::{AnyLink, BuildContext, Factory, Link, Meta};
use crate::serdes::{DecodeError, Serde};

/// The first processor of a task.
pub(crate) trait SourceProcessor {
    /// Takes a record; one that is not of the source's format is counted and skipped.
    fn process(&mut self, record: &RecordRef<'_>);
}

/// A source as the task holds it.
pub(crate) type SourceLink = Box<dyn SourceProcessor>;

struct Source<K: Serde, V: Serde> {
    next: Link<K, V>,
    counters: Rc<Counters>,
}

impl<K: Serde, V: Serde> SourceProcessor for Source<K, V> {
    fn process(&mut self, record: &RecordRef<'_>) {
        let meta = Meta { timestamp: record.timestamp, headers: record.headers };
        let Self { next, counters } = self;
        let result = with_decoded::<K, _>(record.key, |key| {
            with_decoded::<V, _>(record.value, |value| next.process(key, value, &meta))
        });
        if !matches!(result, Ok(Ok(()))) {
            bump(&counters.undecodable);
        }
    }
}

fn with_decoded<S: Serde, R>(
    bytes: Option<&[u8]>,
    then: impl FnOnce(Option<&S::Ref>) -> R,
) -> Result<R, DecodeError> {
    match bytes {
        Some(bytes) => S::decode(bytes, |value| then(Some(value))),
        None => Ok(then(None)),
    }
}

/// A node that reads records as `K` and `V`.
pub(crate) fn source<K: Serde, V: Serde>() -> Box<dyn Factory> {
    Box::new(SourceFactory::<K, V>(PhantomData))
}

struct SourceFactory<K, V>(PhantomData<fn() -> (K, V)>);

impl<K: Serde, V: Serde> Factory for SourceFactory<K, V> {
    fn build(&self, context: &mut BuildContext, ports: Vec<Vec<AnyLink>>) -> AnyLink {
        let next = join::<K, V>(ports.into_iter().flatten().collect());
        let counters = Rc::clone(&context.counters);
        AnyLink::new::<SourceLink>(Box::new(Source { next, counters }))
    }

    fn share(&self, link: AnyLink, _copies: usize) -> Vec<AnyLink> {
        vec![link]
    }
}
