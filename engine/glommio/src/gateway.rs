//! From ordinary threads into a shard's executor, and back.
//!
//! A thread blocks, an executor never does: the shard's side receives by waker and answers without waiting.

use std::fmt;

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
    (ThreadSender(sender), ThreadReceiver(receiver))
}

/// The thread's side of a gateway. Any number of threads may hold one.
pub struct ThreadSender<T>(flume::Sender<T>);

impl<T> Clone for ThreadSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for ThreadSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThreadSender")
    }
}

impl<T> ThreadSender<T> {
    /// Sends `message`; blocks this thread while the gateway is full. Not for executors.
    ///
    /// # Errors
    /// [`GatewayClosed`] if the shard has ended.
    pub fn send(&self, message: T) -> Result<(), GatewayClosed<T>> {
        self.0.send(message).map_err(|error| GatewayClosed(error.into_inner()))
    }

    /// Sends without waiting.
    ///
    /// # Errors
    /// [`TrySendError::Full`], [`TrySendError::Closed`].
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(message).map_err(|error| match error {
            flume::TrySendError::Full(message) => TrySendError::Full(message),
            flume::TrySendError::Disconnected(message) => TrySendError::Closed(message),
        })
    }
}

/// The shard's side of a gateway.
pub struct ThreadReceiver<T>(flume::Receiver<T>);

impl<T> fmt::Debug for ThreadReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThreadReceiver")
    }
}

impl<T> ThreadReceiver<T> {
    /// The next message; `None` when every sender has gone.
    pub async fn receive(&self) -> Option<T> {
        self.0.recv_async().await.ok()
    }

    /// A message that is there already.
    #[must_use]
    pub fn try_receive(&self) -> Option<T> {
        self.0.try_recv().ok()
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
