//! Making the processors of one task from the nodes of a topology.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use super::{BuildContext, Link, Meta, Processor};
use crate::serdes::Serde;

/// A [`Link`] whose types are known to the nodes at both ends of it: the builder's methods connect only nodes
/// of the same types.
pub(crate) struct AnyLink(Box<dyn Any>);

impl AnyLink {
    pub(crate) fn new<T: 'static>(link: T) -> Self {
        Self(Box::new(link))
    }

    /// # Panics
    /// If the link is of another type: a bug of the builder.
    pub(crate) fn into<T: 'static>(self) -> T {
        *self.0.downcast().expect("the builder connects nodes of the same types")
    }
}

/// Makes a node's processor, once per task.
pub(crate) trait Factory: Send + Sync {
    /// `ports`: for each way out of the node, what is connected to it.
    fn build(&self, context: &mut BuildContext, ports: Vec<Vec<AnyLink>>) -> AnyLink;

    /// Makes `copies` links of one, for a node with several ways in.
    fn share(&self, link: AnyLink, copies: usize) -> Vec<AnyLink>;
}

/// A node from `KI`, `VI` to `KO`, `VO` with one way out.
pub(crate) fn node<KI: Serde, VI: Serde, KO: Serde, VO: Serde>(
    make: impl Fn(&mut BuildContext, Link<KO, VO>) -> Link<KI, VI> + Send + Sync + 'static,
) -> Box<dyn Factory> {
    Box::new(OneWay { make, input: PhantomData, output: PhantomData })
}

/// A node from `K`, `V` to the same with two ways out.
pub(crate) fn two_way<K: Serde, V: Serde>(
    make: impl Fn(Link<K, V>, Link<K, V>) -> Link<K, V> + Send + Sync + 'static,
) -> Box<dyn Factory> {
    Box::new(TwoWay { make, types: PhantomData })
}

struct OneWay<KI, VI, KO, VO, F> {
    make: F,
    input: PhantomData<fn(KI, VI)>,
    output: PhantomData<fn() -> (KO, VO)>,
}

impl<KI: Serde, VI: Serde, KO: Serde, VO: Serde, F> Factory for OneWay<KI, VI, KO, VO, F>
where
    F: Fn(&mut BuildContext, Link<KO, VO>) -> Link<KI, VI> + Send + Sync,
{
    fn build(&self, context: &mut BuildContext, ports: Vec<Vec<AnyLink>>) -> AnyLink {
        let next = join::<KO, VO>(ports.into_iter().flatten().collect());
        AnyLink::new((self.make)(context, next))
    }

    fn share(&self, link: AnyLink, copies: usize) -> Vec<AnyLink> {
        share::<KI, VI>(link, copies)
    }
}

struct TwoWay<K, V, F> {
    make: F,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Serde, V: Serde, F> Factory for TwoWay<K, V, F>
where
    F: Fn(Link<K, V>, Link<K, V>) -> Link<K, V> + Send + Sync,
{
    fn build(&self, _context: &mut BuildContext, ports: Vec<Vec<AnyLink>>) -> AnyLink {
        let mut ports = ports.into_iter();
        let mut way = || join::<K, V>(ports.next().unwrap_or_default());
        let (first, second) = (way(), way());
        AnyLink::new((self.make)(first, second))
    }

    fn share(&self, link: AnyLink, copies: usize) -> Vec<AnyLink> {
        share::<K, V>(link, copies)
    }
}

/// One link to all of `links`.
pub(super) fn join<K: Serde, V: Serde>(links: Vec<AnyLink>) -> Link<K, V> {
    let mut links: Vec<Link<K, V>> = links.into_iter().map(AnyLink::into).collect();
    match links.len() {
        1 => links.remove(0),
        _ => Box::new(Fan { links }),
    }
}

fn share<K: Serde, V: Serde>(link: AnyLink, copies: usize) -> Vec<AnyLink> {
    if copies <= 1 {
        return vec![link];
    }
    let shared = Rc::new(RefCell::new(link.into::<Link<K, V>>()));
    let copy = |_| AnyLink::new::<Link<K, V>>(Box::new(Shared { link: Rc::clone(&shared) }));
    (0..copies).map(copy).collect()
}

/// To any number of successors, also none.
struct Fan<K, V> {
    links: Vec<Link<K, V>>,
}

impl<K: Serde, V: Serde> Processor<K, V> for Fan<K, V> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        for link in &mut self.links {
            link.process(key, value, meta);
        }
    }
}

/// From one of several predecessors. Topologies have no cycles, so a borrow never meets another.
struct Shared<K, V> {
    link: Rc<RefCell<Link<K, V>>>,
}

impl<K: Serde, V: Serde> Processor<K, V> for Shared<K, V> {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        self.link.borrow_mut().process(key, value, meta);
    }
}
