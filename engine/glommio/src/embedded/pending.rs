//! An answer that is on its way.

use std::sync::Arc;

use super::ClosedError;
use super::fate::Fate;
use crate::gateway::Reply;

/// What a shard will answer to one request. Dropping it does not undo the request.
#[derive(Debug)]
#[must_use = "the answer says whether it was done"]
pub struct Pending<T> {
    /// `None` if the shard had ended before the request could be sent.
    reply: Option<Reply<T>>,
    fate: Arc<Fate>,
}

impl<T> Pending<T> {
    pub(super) fn new(reply: Option<Reply<T>>, fate: Arc<Fate>) -> Self {
        Self { reply, fate }
    }

    /// Blocks this thread until the answer is there.
    ///
    /// # Errors
    /// [`ClosedError`], if the shard ended first; the request may have been carried out.
    pub fn wait(self) -> Result<T, ClosedError> {
        let answer = self.reply.and_then(|reply| reply.wait().ok());
        answer.ok_or_else(|| self.fate.error())
    }

    /// Awaits the answer, in a program with an asynchronous runtime of its own.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub async fn received(self) -> Result<T, ClosedError> {
        let answer = match self.reply {
            Some(reply) => reply.received().await.ok(),
            None => None,
        };
        answer.ok_or_else(|| self.fate.error())
    }
}
