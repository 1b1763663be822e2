//! Requests to other shards: credits, tokens, and the replies that come back.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::inner::Inner;
use super::wake::{Turn, Turnstile};
use super::{MeshMessage, Reply, Request};
use crate::io::Runtime;
use crate::limits::{MESH_CREDITS_CONTROL, MESH_CREDITS_DATA, MESH_CREDITS_WAIT};
use crate::model::ShardId;

/// What kind of credit a request takes. Each kind has its own, so that requests that wait long hold up only
/// others that do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Credit {
    /// Answered as soon as possible.
    Data,
    /// Waits for records.
    Wait,
    /// The catalog and the outboxes.
    Control,
}

const CREDITS: [(Credit, usize); 3] = [
    (Credit::Data, MESH_CREDITS_DATA),
    (Credit::Wait, MESH_CREDITS_WAIT),
    (Credit::Control, MESH_CREDITS_CONTROL),
];

/// Requests outstanding at other shards.
#[derive(Debug)]
pub(super) struct Calls {
    next_token: u64,
    outstanding: HashMap<u64, Outstanding, FixedState>,
    lanes: Vec<Lane>,
    closed: bool,
}

#[derive(Debug)]
struct Lane {
    free: usize,
    turns: Turnstile,
    /// Who is at the front and waits for a credit.
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Outstanding {
    lane: usize,
    waker: Option<Waker>,
    reply: Option<Reply>,
    /// Nobody waits for the reply; it still holds its credit.
    abandoned: bool,
}

impl Calls {
    pub(super) fn new(shards: u16) -> Self {
        let lane =
            |(_, free): &(Credit, usize)| Lane { free: *free, turns: Turnstile::default(), waker: None };
        let lanes = (0..shards).flat_map(|_| CREDITS.iter().map(lane)).collect();
        Self { next_token: 0, outstanding: HashMap::default(), lanes, closed: false }
    }

    /// Ends every call with [`Reply::Closed`].
    pub(super) fn close(&mut self) {
        self.closed = true;
        let mut wakers: VecDeque<Waker> =
            self.lanes.iter_mut().filter_map(|lane| lane.waker.take()).collect();
        // In the order of the tokens: the map's own order means nothing.
        let mut tokens: Vec<u64> = self.outstanding.keys().copied().collect();
        tokens.sort_unstable();
        for token in tokens {
            let outstanding = self.outstanding.get_mut(&token).expect("a key of the map");
            outstanding.reply.get_or_insert(Reply::Closed);
            wakers.extend(outstanding.waker.take());
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Takes in a reply.
    pub(super) fn replied(&mut self, token: u64, reply: Reply) {
        let Some(outstanding) = self.outstanding.get_mut(&token) else {
            // Its call was ended by `close`.
            return;
        };
        let lane = &mut self.lanes[outstanding.lane];
        lane.free += 1;
        if let Some(waker) = lane.waker.take() {
            waker.wake();
        }
        if outstanding.abandoned {
            self.outstanding.remove(&token);
            return;
        }
        outstanding.reply.get_or_insert(reply);
        if let Some(waker) = outstanding.waker.take() {
            waker.wake();
        }
    }

    fn lane(target: ShardId, credit: Credit) -> usize {
        usize::from(target.0) * CREDITS.len() + credit as usize
    }

    fn begin(&mut self, lane: usize) -> u64 {
        self.lanes[lane].free -= 1;
        self.next_token += 1;
        let outstanding = Outstanding { lane, waker: None, reply: None, abandoned: false };
        self.outstanding.insert(self.next_token, outstanding);
        self.next_token
    }
}

/// A call under way; if it is dropped before its reply, the reply is dropped when it comes.
struct Call<'a, R: Runtime> {
    inner: &'a Inner<R>,
    token: u64,
}

impl<R: Runtime> Drop for Call<'_, R> {
    fn drop(&mut self) {
        let mut calls = self.inner.calls.borrow_mut();
        let Some(outstanding) = calls.outstanding.get_mut(&self.token) else { return };
        outstanding.abandoned = true;
        outstanding.waker = None;
        if outstanding.reply.is_some() {
            calls.outstanding.remove(&self.token);
        }
    }
}

impl<R: Runtime> Inner<R> {
    /// Asks another shard; waits for a credit, then for the reply. [`Reply::Closed`] if either shard closes.
    pub(super) async fn call(&self, target: ShardId, credit: Credit, request: Request) -> Reply {
        assert_ne!(target, self.shard, "a shard asks itself without the mesh");
        let lane = Calls::lane(target, credit);
        let turns = {
            let calls = self.calls.borrow();
            if calls.closed {
                return Reply::Closed;
            }
            let busy = calls.lanes[lane].free == 0 || !calls.lanes[lane].turns.is_empty();
            busy.then(|| calls.lanes[lane].turns.clone())
        };
        if let Some(turns) = turns {
            self.runtime.mark("no-credit");
            if !self.wait_for_credit(lane, &turns.enter()).await {
                return Reply::Closed;
            }
        }
        let token = self.calls.borrow_mut().begin(lane);
        let call = Call { inner: self, token };
        self.send(target, MeshMessage::Request { token, request });
        poll_fn(|context| {
            let mut calls = self.calls.borrow_mut();
            let outstanding = calls.outstanding.get_mut(&call.token).expect("a call is kept until it ends");
            if let Some(reply) = outstanding.reply.take() {
                calls.outstanding.remove(&call.token);
                return Poll::Ready(reply);
            }
            outstanding.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Whether a credit is there; `false` if the shard closes before.
    async fn wait_for_credit(&self, lane: usize, turn: &Turn) -> bool {
        turn.front().await;
        poll_fn(|context| {
            let mut calls = self.calls.borrow_mut();
            if calls.closed {
                return Poll::Ready(false);
            }
            let lane = &mut calls.lanes[lane];
            if lane.free > 0 {
                return Poll::Ready(true);
            }
            lane.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
