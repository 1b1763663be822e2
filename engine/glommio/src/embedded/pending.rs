//! An answer that is on its way.

use super::ClosedError;
use crate::gateway::Reply;

/// What a shard will answer to one request. Dropping it does not undo the request.
#[derive(Debug)]
#[must_use = "the answer says whether it was done"]
pub struct Pending<T>(PendingState<T>);

#[derive(Debug)]
enum PendingState<T> {
    Sent(Reply<T>),
    /// The shard had ended before the request could be sent.
    Closed,
}

impl<T> Pending<T> {
    pub(super) fn sent(reply: Reply<T>) -> Self {
        Self(PendingState::Sent(reply))
    }

    pub(super) fn closed() -> Self {
        Self(PendingState::Closed)
    }

    /// Blocks this thread until the answer is there.
    ///
    /// # Errors
    /// [`ClosedError`], if the shard ended first; the request may have been carried out.
    pub fn wait(self) -> Result<T, ClosedError> {
        match self.0 {
            PendingState::Sent(reply) => reply.wait().map_err(|_| ClosedError),
            PendingState::Closed => Err(ClosedError),
        }
    }

    /// Awaits the answer, in a program with an asynchronous runtime of its own.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub async fn received(self) -> Result<T, ClosedError> {
        match self.0 {
            PendingState::Sent(reply) => reply.received().await.map_err(|_| ClosedError),
            PendingState::Closed => Err(ClosedError),
        }
    }
}
