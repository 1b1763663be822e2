//! The mesh between executors: one of glommio's bounded single-producer channels per ordered pair.
//!
//! A send to a parked executor writes its event descriptor; a send to a running one writes only memory,
//! and is found when that executor next looks at its I/O.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use glommio::channels::shared_channel::{
    ConnectedReceiver, ConnectedSender, SharedReceiver, SharedSender, new_bounded,
};
use glommio::{GlommioError, ResourceType};
use thalweg_engine::io::{Mesh, MeshFull};
use thalweg_engine::model::ShardId;

/// One shard's unconnected channels; moves to that shard's executor thread.
pub struct MeshSocket<M: Send + 'static> {
    shard: ShardId,
    outgoing: Vec<(ShardId, SharedSender<M>)>,
    incoming: Vec<(ShardId, SharedReceiver<M>)>,
}

/// Channels between every two of `shards` shards, each holding `capacity` messages (rounded up to a power
/// of two): one socket per shard, in order.
#[must_use]
pub fn mesh_sockets<M: Send + 'static>(shards: u16, capacity: usize) -> Vec<MeshSocket<M>> {
    let mut sockets: Vec<MeshSocket<M>> = (0..shards)
        .map(|shard| MeshSocket { shard: ShardId(shard), outgoing: Vec::new(), incoming: Vec::new() })
        .collect();
    for from in 0..shards {
        for to in (0..shards).filter(|&to| to != from) {
            let (sender, receiver) = new_bounded(capacity);
            sockets[usize::from(from)].outgoing.push((ShardId(to), sender));
            sockets[usize::from(to)].incoming.push((ShardId(from), receiver));
        }
    }
    sockets
}

impl<M: Send + 'static> MeshSocket<M> {
    /// Connects to every other shard; ends when all of them have connected or gone. Must run on the
    /// executor of this shard.
    pub async fn connect(self) -> MeshEnd<M> {
        let shard = self.shard;
        // All at once: each half waits for the other, so that an order among them could wait in a circle.
        let outgoing: Vec<_> = self
            .outgoing
            .into_iter()
            .map(|(peer, sender)| (peer, glommio::spawn_local(sender.connect())))
            .collect();
        let incoming: Vec<_> = self
            .incoming
            .into_iter()
            .map(|(peer, receiver)| (peer, glommio::spawn_local(receiver.connect())))
            .collect();
        let mut senders = Vec::with_capacity(outgoing.len());
        for (peer, connecting) in outgoing {
            senders.push((peer, connecting.await));
        }
        let task = Arc::new(Mutex::new(None));
        let mut peers = Vec::with_capacity(incoming.len());
        for (shard, connecting) in incoming {
            let receiver = connecting.await;
            let ready = Arc::new(PeerReady { ready: AtomicBool::new(true), task: Arc::clone(&task) });
            let waker = Waker::from(Arc::clone(&ready));
            peers.push(Peer { shard, receiver, ready, waker, open: Cell::new(true) });
        }
        MeshEnd(Rc::new(Ends { shard, senders, peers, task, next: Cell::new(0) }))
    }
}

/// One shard's connected end of the mesh. One task at a time may receive.
pub struct MeshEnd<M: Send + 'static>(Rc<Ends<M>>);

impl<M: Send + 'static> Clone for MeshEnd<M> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

struct Ends<M: Send + 'static> {
    shard: ShardId,
    senders: Vec<(ShardId, ConnectedSender<M>)>,
    peers: Vec<Peer<M>>,
    task: Arc<Mutex<Option<Waker>>>,
    /// Where the next search begins, so that no peer starves another.
    next: Cell<usize>,
}

struct Peer<M: Send + 'static> {
    shard: ShardId,
    receiver: ConnectedReceiver<M>,
    ready: Arc<PeerReady>,
    waker: Waker,
    open: Cell<bool>,
}

/// Whether a peer's channel may hold something. Glommio keeps every waker that an empty channel was polled
/// with, so an empty channel is not polled again before it has woken.
struct PeerReady {
    ready: AtomicBool,
    task: Arc<Mutex<Option<Waker>>>,
}

impl Wake for PeerReady {
    fn wake(self: Arc<Self>) {
        self.ready.store(true, Ordering::Relaxed);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<M: Send + 'static> Ends<M> {
    fn poll_receive(&self, context: &mut Context<'_>) -> Poll<Option<(ShardId, M)>> {
        let count = self.peers.len();
        for index in 0..count {
            let at = (self.next.get() + index) % count;
            let peer = &self.peers[at];
            if !peer.ready.ready.swap(false, Ordering::Relaxed) {
                continue;
            }
            match pin!(peer.receiver.recv()).poll(&mut Context::from_waker(&peer.waker)) {
                Poll::Ready(Some(message)) => {
                    peer.ready.ready.store(true, Ordering::Relaxed);
                    self.next.set((at + 1) % count);
                    return Poll::Ready(Some((peer.shard, message)));
                }
                Poll::Ready(None) => peer.open.set(false),
                Poll::Pending => {}
            }
        }
        if !self.peers.iter().any(|peer| peer.open.get()) {
            return Poll::Ready(None);
        }
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<M: Send + 'static> Mesh<M> for MeshEnd<M> {
    /// As the trait says. A message to a shard that has ended is dropped, as one in its channel would be.
    ///
    /// # Panics
    /// If `to` is this shard or none of the mesh.
    fn try_send(&self, to: ShardId, message: M) -> Result<(), MeshFull<M>> {
        assert_ne!(to, self.0.shard, "a shard sends nothing to itself");
        // Peers are in order, with this shard left out.
        let index = usize::from(to.0) - usize::from(to.0 > self.0.shard.0);
        let (peer, sender) = &self.0.senders[index];
        assert_eq!(*peer, to, "senders are in the order of their shards");
        match sender.try_send(message) {
            Err(GlommioError::WouldBlock(ResourceType::Channel(message))) => Err(MeshFull(message)),
            _ => Ok(()),
        }
    }

    fn receive(&self) -> impl Future<Output = Option<(ShardId, M)>> + '_ {
        std::future::poll_fn(|context| self.0.poll_receive(context))
    }
}
