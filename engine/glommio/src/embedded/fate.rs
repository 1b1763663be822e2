//! How an engine ends other than by being closed: one shard's panic ends them all.

use std::sync::{Arc, OnceLock};

use thalweg_engine::model::ShardId;

use super::ClosedError;

/// What became of an engine; shared by its shards and its clients.
#[derive(Debug)]
pub(super) struct Fate {
    panic: OnceLock<(ShardId, String)>,
    /// One into each shard.
    bells: Vec<flume::Sender<()>>,
}

/// A shard's ear for the end of another.
pub(super) struct Alarm(flume::Receiver<()>);

impl Fate {
    /// The fate of an engine of so many shards, and an alarm for each, in their order.
    pub(super) fn new(shards: u16) -> (Arc<Self>, Vec<Alarm>) {
        let (bells, alarms) = (0..shards)
            .map(|_| {
                let (bell, heard) = flume::bounded(1);
                (bell, Alarm(heard))
            })
            .unzip();
        (Arc::new(Self { panic: OnceLock::new(), bells }), alarms)
    }

    /// Notes that `shard` panicked and tells every shard. The first panic is the one that counts.
    pub(super) fn panicked(&self, shard: ShardId, message: &str) {
        if self.panic.set((shard, message.to_owned())).is_ok() {
            for bell in &self.bells {
                // Gone: that shard has ended already.
                let _ = bell.try_send(());
            }
        }
    }

    /// Whether a shard has panicked.
    pub(super) fn is_sealed(&self) -> bool {
        self.panic.get().is_some()
    }

    /// Why nothing more is done.
    pub(super) fn error(&self) -> ClosedError {
        match self.panic.get() {
            Some((shard, message)) => ClosedError::Panicked { shard: *shard, message: message.clone() },
            None => ClosedError::Closed,
        }
    }
}

impl Alarm {
    /// Ends when a shard has panicked; never, if none does.
    pub(super) async fn rung(&self) {
        if self.0.recv_async().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
