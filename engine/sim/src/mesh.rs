//! The mesh: one bounded channel for each pair of shards, each with its own delays.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use thalweg_engine::io::{Mesh, MeshFull};
use thalweg_engine::limits::MESH_CAPACITY;
use thalweg_engine::model::ShardId;

use crate::clock::nanos;
use crate::prng::Prng;
use crate::shared::{ProcessId, Shared};

struct Letter<M> {
    arrives_ns: u64,
    /// Order of sending over all pairs.
    number: u64,
    message: M,
}

struct Network<M> {
    prng: Prng,
    channels: BTreeMap<(ShardId, ShardId), VecDeque<Letter<M>>>,
    open: Vec<bool>,
    waiting: BTreeMap<ShardId, Waker>,
    sent: u64,
}

struct End<M> {
    shared: Rc<Shared>,
    process: ProcessId,
    shard: ShardId,
    network: Rc<RefCell<Network<M>>>,
}

/// One shard's end of the simulated mesh. Messages of a pair arrive in order, each after its own delay; those
/// of different pairs overtake each other. The end closes when its last clone is dropped.
pub struct SimMesh<M: 'static> {
    end: Rc<End<M>>,
}

impl<M> Clone for SimMesh<M> {
    fn clone(&self) -> Self {
        Self { end: Rc::clone(&self.end) }
    }
}

impl<M: 'static> SimMesh<M> {
    /// The ends of a new mesh of `shards` shards.
    pub(crate) fn connect(shared: &Rc<Shared>, shards: u16) -> Vec<Self> {
        let process = shared.process.borrow().id;
        let network = Rc::new(RefCell::new(Network {
            prng: shared.root.fork_numbered("mesh", process.0),
            channels: BTreeMap::new(),
            open: vec![true; usize::from(shards)],
            waiting: BTreeMap::new(),
            sent: 0,
        }));
        let end = |shard| End {
            shared: Rc::clone(shared),
            process,
            shard: ShardId(shard),
            network: Rc::clone(&network),
        };
        (0..shards).map(|shard| Self { end: Rc::new(end(shard)) }).collect()
    }

    fn poll_receive(&self, context: &mut Context<'_>) -> Poll<Option<(ShardId, M)>> {
        let End { shared, shard, network, .. } = &*self.end;
        let now_ns = shared.now_ns();
        let mut network = network.borrow_mut();
        let arrived = network.arrived(*shard, now_ns);
        if !arrived.is_empty() {
            let from = *network.prng.pick(&arrived);
            let letter = network.take(from, *shard);
            if network.overtaken(*shard, letter.number) {
                shared.recorder.count("mesh.reordered");
            }
            return Poll::Ready(Some((from, letter.message)));
        }
        let coming = network.next_arrival(*shard);
        if coming.is_none() && network.alone(*shard) {
            return Poll::Ready(None);
        }
        if let Some(arrives_ns) = coming {
            shared.wake_at(arrives_ns, context.waker().clone());
        }
        network.waiting.insert(*shard, context.waker().clone());
        Poll::Pending
    }
}

impl<M: 'static> Mesh<M> for SimMesh<M> {
    fn try_send(&self, to: ShardId, message: M) -> Result<(), MeshFull<M>> {
        let End { shared, process, shard, network } = &*self.end;
        assert_ne!(*shard, to, "a shard has no channel to itself");
        let mut network = network.borrow_mut();
        let open = network.open.get(usize::from(to.0)).copied();
        assert!(open.is_some(), "there is no shard {to}");
        if open == Some(false) || !shared.is_running(*process) {
            shared.recorder.count("mesh.to_closed");
            // Dropped after the borrow: a message's drop may reach the mesh again.
            std::mem::drop(network);
            return Ok(());
        }
        if network.channels.get(&(*shard, to)).is_some_and(|channel| channel.len() >= MESH_CAPACITY) {
            shared.recorder.count("mesh.full");
            return Err(MeshFull(message));
        }
        let delay_max_ns = nanos(shared.faults.get().mesh_delay_max).max(1);
        let arrives_ns = shared.now_ns() + 200 + network.prng.below(delay_max_ns);
        let arrives_ns = network.put(*shard, to, arrives_ns, message);
        if let Some(waker) = network.waiting.get(&to) {
            shared.wake_at(arrives_ns, waker.clone());
        }
        Ok(())
    }

    fn receive(&self) -> impl Future<Output = Option<(ShardId, M)>> + '_ {
        poll_fn(|context| self.poll_receive(context))
    }
}

impl<M> Network<M> {
    /// Puts a message into its channel, behind those before it; tells when it arrives.
    fn put(&mut self, from: ShardId, to: ShardId, arrives_ns: u64, message: M) -> u64 {
        self.sent += 1;
        let number = self.sent;
        let channel = self.channels.entry((from, to)).or_default();
        let arrives_ns = channel.back().map_or(0, |last| last.arrives_ns).max(arrives_ns);
        channel.push_back(Letter { arrives_ns, number, message });
        arrives_ns
    }

    fn take(&mut self, from: ShardId, to: ShardId) -> Letter<M> {
        let letter = self.channels.get_mut(&(from, to)).and_then(VecDeque::pop_front);
        letter.expect("a channel that has a message gives one")
    }

    fn fronts(&self, to: ShardId) -> impl Iterator<Item = (ShardId, &Letter<M>)> {
        self.channels
            .iter()
            .filter(move |((_, target), _)| *target == to)
            .filter_map(|((from, _), channel)| Some((*from, channel.front()?)))
    }

    fn arrived(&self, to: ShardId, now_ns: u64) -> Vec<ShardId> {
        self.fronts(to).filter(|(_, letter)| letter.arrives_ns <= now_ns).map(|(from, _)| from).collect()
    }

    fn next_arrival(&self, to: ShardId) -> Option<u64> {
        self.fronts(to).map(|(_, letter)| letter.arrives_ns).min()
    }

    fn overtaken(&self, to: ShardId, number: u64) -> bool {
        self.fronts(to).any(|(_, letter)| letter.number < number)
    }

    fn alone(&self, shard: ShardId) -> bool {
        self.open.iter().enumerate().all(|(other, open)| other == usize::from(shard.0) || !open)
    }
}

impl<M> Drop for End<M> {
    fn drop(&mut self) {
        let (lost, waiting) = {
            let mut network = self.network.borrow_mut();
            network.open[usize::from(self.shard.0)] = false;
            let to_here: Vec<_> =
                network.channels.keys().copied().filter(|(_, to)| *to == self.shard).collect();
            let lost: Vec<_> = to_here.iter().filter_map(|pair| network.channels.remove(pair)).collect();
            (lost, std::mem::take(&mut network.waiting))
        };
        // Outside the borrow: a message's drop may reach the mesh again.
        drop(lost);
        waiting.into_values().for_each(Waker::wake);
    }
}
