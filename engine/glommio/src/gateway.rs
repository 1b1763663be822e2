//! From ordinary threads into a shard's executor, and back.
//!
//! A thread blocks, an executor never does: the shard's side receives by waker and answers without waiting.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The shard's side has gone; the message comes back.
#[derive(Debug, thiserror::Error)]
#[error("the shard has ended")]
pub struct GatewayClosed<T>(pub T);

/// Why [`ThreadSender::try_send`] did not send; the message comes back.
#[derive(Debug, thiserror::Error)]
pub enum TrySendError<T> {
    /// The gateway holds as many messages as it can.
    #[error("the shard's gateway is full")]
    Full(T),
    /// The shard's side has gone.
    #[error("the shard has ended")]
    Closed(T),
}

/// The shard dropped the slot without an answer, which it does when it ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the shard ended before it answered")]
pub struct ReplyLost;

/// A channel into a shard that holds at most `capacity` messages.
///
/// # Panics
/// If `capacity` is zero: a rendezvous would block the executor.
#[must_use]
pub fn thread_gateway<T: Send + 'static>(capacity: usize) -> (ThreadSender<T>, ThreadReceiver<T>) {
    assert!(capacity > 0, "a gateway holds at least one message");
    let (sender, receiver) = flume::bounded(capacity);
    let gate = Gate { messages: receiver, closed: Arc::default() };
    (ThreadSender { sender, gate: gate.clone() }, ThreadReceiver(gate))
}

/// The queue's far end, and whether anybody still listens there.
///
/// A queue keeps its messages for as long as a sender lives, and with them the slots that threads wait for. So
/// whoever finds the gate closed empties the queue: the shard when it closes the gate, and each sender whose
/// message came after that.
struct Gate<T> {
    messages: flume::Receiver<T>,
    closed: Arc<AtomicBool>,
}

impl<T> Clone for Gate<T> {
    fn clone(&self) -> Self {
        Self { messages: self.messages.clone(), closed: Arc::clone(&self.closed) }
    }
}

impl<T> Gate<T> {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Drops what is queued, and what senders wait to queue.
    fn empty(&self) {
        while let Ok(message) = self.messages.try_recv() {
            drop(message);
        }
    }
}

/// The thread's side of a gateway. Any number of threads may hold one.
pub struct ThreadSender<T> {
    sender: flume::Sender<T>,
    gate: Gate<T>,
}

impl<T> Clone for ThreadSender<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), gate: self.gate.clone() }
    }
}

impl<T> fmt::Debug for ThreadSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThreadSender")
    }
}

impl<T> ThreadSender<T> {
    /// Sends `message`; blocks this thread while the gateway is full. Not for executors. A message that is sent
    /// while the shard ends is dropped, as one in its queue is.
    ///
    /// # Errors
    /// [`GatewayClosed`] if the shard has ended.
    pub fn send(&self, message: T) -> Result<(), GatewayClosed<T>> {
        if self.gate.is_closed() {
            return Err(GatewayClosed(message));
        }
        self.sender.send(message).map_err(|error| GatewayClosed(error.into_inner()))?;
        self.sent();
        Ok(())
    }

    /// Sends without waiting; otherwise as [`ThreadSender::send`].
    ///
    /// # Errors
    /// [`TrySendError::Full`], [`TrySendError::Closed`].
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        if self.gate.is_closed() {
            return Err(TrySendError::Closed(message));
        }
        self.sender.try_send(message).map_err(|error| match error {
            flume::TrySendError::Full(message) => TrySendError::Full(message),
            flume::TrySendError::Disconnected(message) => TrySendError::Closed(message),
        })?;
        self.sent();
        Ok(())
    }

    /// The message is queued. If the gate was closed before, nobody else takes it out; if it is closed later,
    /// who closes it does.
    fn sent(&self) {
        if self.gate.is_closed() {
            self.gate.empty();
        }
    }
}

/// The shard's side of a gateway. Dropping it drops the messages that are queued.
pub struct ThreadReceiver<T>(Gate<T>);

impl<T> Drop for ThreadReceiver<T> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.empty();
    }
}

impl<T> fmt::Debug for ThreadReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThreadReceiver")
    }
}

impl<T> ThreadReceiver<T> {
    /// The next message; `None` when every sender has gone.
    pub async fn receive(&self) -> Option<T> {
        self.0.messages.recv_async().await.ok()
    }

    /// A message that is there already.
    #[must_use]
    pub fn try_receive(&self) -> Option<T> {
        self.0.messages.try_recv().ok()
    }
}

/// Room for one answer: the shard fills the slot, the thread waits for it.
#[must_use]
pub fn reply_slot<T: Send + 'static>() -> (ReplySlot<T>, Reply<T>) {
    let (sender, receiver) = flume::bounded(1);
    (ReplySlot(sender), Reply(receiver))
}

/// The shard's half of an answer.
pub struct ReplySlot<T>(flume::Sender<T>);

impl<T> fmt::Debug for ReplySlot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplySlot")
    }
}

impl<T> ReplySlot<T> {
    /// Answers. Never waits; an answer that nobody waits for any more is dropped.
    pub fn send(self, value: T) {
        // Full is impossible with one slot and one send; gone is the thread's choice.
        let _ = self.0.try_send(value);
    }
}

/// The thread's half of an answer.
pub struct Reply<T>(flume::Receiver<T>);

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

impl<T> Reply<T> {
    /// Blocks this thread until the answer is there.
    ///
    /// # Errors
    /// [`ReplyLost`] if the shard ended first.
    pub fn wait(self) -> Result<T, ReplyLost> {
        self.0.recv().map_err(|_| ReplyLost)
    }

    /// Awaits the answer, for a thread that has an async runtime of its own.
    ///
    /// # Errors
    /// [`ReplyLost`] if the shard ended first.
    pub async fn received(self) -> Result<T, ReplyLost> {
        self.0.recv_async().await.map_err(|_| ReplyLost)
    }
}
