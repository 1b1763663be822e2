//! The shard's side: takes the requests of threads and answers them.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use thalweg_engine::client::{AppendError, Appended, ReadError, ShardClient};
use thalweg_engine::io::{Priority, Runtime};
use thalweg_engine::model::{Offset, PartitionId};
use thalweg_engine::shard::{OwnedBatch, Shard};

use super::fate::{Alarm, Fate};
use super::message::ThreadMessage;
use crate::GlommioRuntime;
use crate::gateway::{ReplySlot, ThreadReceiver};

type Client = ShardClient<GlommioRuntime>;

/// Serves until a thread closes the engine, or every thread's sender has gone. On return the shard is closed.
///
/// After the panic of another shard this one is closed as well, since it may wait for that one, and for ever; it
/// then drops every request.
pub(super) async fn serve(
    shard: Shard<GlommioRuntime>,
    requests: ThreadReceiver<ThreadMessage>,
    fate: &Fate,
    alarm: Alarm,
) {
    let client = ShardClient::new(shard.clone());
    let alarmed = shard.clone();
    client.runtime().spawn(Priority::Foreground, async move {
        alarm.rung().await;
        alarmed.close().await;
    });
    let closed = loop {
        match requests.receive().await {
            None => break None,
            Some(ThreadMessage::Close { slot }) => break Some(slot),
            Some(ThreadMessage::End) => break None,
            Some(_) if fate.is_sealed() => {}
            Some(message) => start(&client, message),
        }
    };
    shard.close().await;
    if let Some(slot) = closed {
        slot.send(());
    }
    // Other shards may still ask this one while they close; it answers, by refusing, until all have closed.
    loop {
        match requests.receive().await {
            None | Some(ThreadMessage::End) => break,
            Some(_) => {}
        }
    }
}

/// Starts `message`'s work; it is answered when it is done.
fn start(client: &Client, message: ThreadMessage) {
    match message {
        ThreadMessage::Append { partition, batch, slot } => append(client, partition, batch, slot),
        ThreadMessage::Read { partition, from, bytes_max, wait, slot } => {
            answer(client, slot, |client| read(client, partition, from, bytes_max, wait));
        }
        ThreadMessage::Bounds { partition, slot } => {
            answer(client, slot, async move |client: Client| client.bounds(partition).await);
        }
        ThreadMessage::FindByTime { partition, search, slot } => {
            answer(client, slot, async move |client: Client| client.find_by_time(partition, search).await);
        }
        ThreadMessage::ProducerPosition { partition, producer, slot } => {
            let work = async move |client: Client| client.producer_position(partition, producer).await;
            answer(client, slot, work);
        }
        ThreadMessage::ProducerId { slot } => {
            answer(client, slot, async move |client: Client| client.producer_id().await);
        }
        ThreadMessage::CreateTopic { name, partitions, settings, slot } => {
            let work = async move |client: Client| client.create_topic(&name, partitions, settings).await;
            answer(client, slot, work);
        }
        ThreadMessage::DeleteTopic { name, slot } => {
            answer(client, slot, async move |client: Client| client.delete_topic(&name).await);
        }
        ThreadMessage::AddPartitions { name, total, slot } => {
            answer(client, slot, async move |client: Client| client.add_partitions(&name, total).await);
        }
        ThreadMessage::AlterTopic { name, settings, slot } => {
            answer(client, slot, async move |client: Client| client.alter_topic(&name, settings).await);
        }
        ThreadMessage::SetLogStart { partition, offset, slot } => {
            answer(client, slot, async move |client: Client| client.set_log_start(partition, offset).await);
        }
        ThreadMessage::CommitOffsets { group, offsets, slot } => {
            let work = async move |client: Client| client.commit_offsets(&group, &offsets).await;
            in_order(client, slot, work);
        }
        ThreadMessage::CommittedOffsets { group, partitions, slot } => {
            answer(client, slot, async move |client: Client| {
                client.committed_offsets(&group, partitions.as_deref()).await
            });
        }
        ThreadMessage::Groups { slot } => {
            answer(client, slot, async move |client: Client| client.groups().await);
        }
        ThreadMessage::DeleteGroup { group, slot } => {
            in_order(client, slot, async move |client: Client| client.delete_group(&group).await);
        }
        ThreadMessage::DeleteOffsets { group, partitions, slot } => {
            let work = async move |client: Client| client.delete_offsets(&group, &partitions).await;
            in_order(client, slot, work);
        }
        ThreadMessage::GroupRecord { group, slot } => {
            answer(client, slot, async move |client: Client| client.group_record(&group).await);
        }
        ThreadMessage::SetGroupRecord { group, expected, active, bytes, slot } => {
            in_order(client, slot, async move |client: Client| {
                client.set_group_record(&group, expected, active, &bytes).await
            });
        }
        ThreadMessage::Topics { slot } => slot.send(client.topics()),
        ThreadMessage::Run(job) => job(client.clone()),
        ThreadMessage::Close { .. } | ThreadMessage::End => unreachable!("closing ends the service"),
    }
}

fn answer<T, W>(client: &Client, slot: ReplySlot<T>, work: impl FnOnce(Client) -> W)
where
    T: Send + 'static,
    W: Future<Output = T> + 'static,
{
    let work = work(client.clone());
    client.runtime().spawn(Priority::Foreground, async move { slot.send(work.await) });
}

fn append(
    client: &Client,
    partition: PartitionId,
    batch: Vec<u8>,
    slot: ReplySlot<Result<Appended, AppendError>>,
) {
    in_order(client, slot, async move |client: Client| client.append(partition, &batch).await);
}

/// Does what changes something in the order in which threads asked: it enters the log, or is on its way to its shard, before
/// the next request is looked at, and only the wait for its durability becomes a task.
fn in_order<T, W>(client: &Client, slot: ReplySlot<T>, work: impl FnOnce(Client) -> W)
where
    T: Send + 'static,
    W: Future<Output = T> + 'static,
{
    let mut work = Box::pin(work(client.clone()));
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => slot.send(answer),
        Poll::Pending => {
            client.runtime().spawn(Priority::Foreground, async move { slot.send(work.await) });
        }
    }
}

/// Reads what is there, or waits up to `wait` for something.
async fn read(
    client: Client,
    partition: PartitionId,
    from: Offset,
    bytes_max: usize,
    wait: Duration,
) -> Result<Vec<OwnedBatch>, ReadError> {
    if !wait.is_zero() {
        client.wait_for_data(partition, from, Some(wait)).await?;
    }
    let batches = client.read(partition, from, bytes_max).await?;
    Ok(batches.into_iter().map(OwnedBatch::from).collect())
}
