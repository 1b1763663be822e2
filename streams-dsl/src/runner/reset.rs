//! Forgetting a topology, on all shards or on none.
//!
//! Each shard has a log of its own, so that no one frame can drop what is kept on all of them. Half of it dropped
//! would be counted wrongly without a word: positions that begin anew beside counts that do not. So a topic, which
//! every shard knows, says that the topology is being reset, from before the first drop until after the last; no
//! task starts while it exists, and a reset that was interrupted is run again.

use thalweg_engine::client::{CatalogError, CommitError, ShardClient, TopicSettings};
use thalweg_engine::io::Runtime;
use thalweg_engine::model::TopicName;

use super::StartError;
use super::signal::all;
use super::topics::find_or_make;
use crate::graph::{TopologyError, check_topology_name, is_repartition_topic_of, resetting_topic};
use crate::limits::RESET_DROPS_MAX;

/// Why a topology was not reset. Some of it may be forgotten; no task of it starts before a reset has ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ResetError {
    /// No topology has such a name.
    #[error(transparent)]
    Name(#[from] TopologyError),
    /// That the topology is being reset could not be kept. Nothing is forgotten.
    #[error(transparent)]
    Begin(#[from] StartError),
    /// A store or a position could not be dropped.
    #[error("a store or position could not be dropped")]
    Drop(#[from] CommitError),
    /// An internal topic could not be deleted.
    #[error("topic '{topic}' could not be deleted")]
    Topic {
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: CatalogError,
    },
}

/// Whether the client's shard keeps something of the topology `name`: stores, positions in its input, internal
/// topics, or a reset that was interrupted.
pub fn keeps_anything<R: Runtime>(client: &ShardClient<R>, name: &str) -> bool {
    check_topology_name(name).is_ok()
        && (!client.names(&format!("{name}/")).is_empty()
            || is_resetting(client, name)
            || !internal_topics(client, name).is_empty())
}

/// Begins to reset the topology `name` on all shards, if that was not begun, and forgets everything that its
/// tasks keep on the client's shard: stores, what made them, and positions in the input. No task of it may run.
/// Returns the names of its stores. When this has returned on every shard, [`end_reset`] makes it whole; until
/// then the topology does not start.
///
/// # Errors
/// [`ResetError`].
pub async fn reset<R: Runtime>(client: &ShardClient<R>, name: &str) -> Result<Vec<String>, ResetError> {
    check_topology_name(name)?;
    find_or_make(
        client,
        &resetting_topic(name),
        1,
        TopicSettings { internal: true, ..TopicSettings::default() },
    )
    .await?;
    let (prefix, store_prefix) = (format!("{name}/"), format!("{name}/store/"));
    let names = client.names(&prefix);
    for names in names.chunks(RESET_DROPS_MAX) {
        // At once: what is asked for together goes into one frame.
        let drops = names.iter().map(|(_, id)| client.drop_store(*id));
        for dropped in all(drops).await {
            dropped?;
        }
    }
    // NAME/store/STORE/PARTITION
    let store = |name: &String| {
        let (store, _) = name.strip_prefix(&store_prefix)?.rsplit_once('/')?;
        Some(store.to_owned())
    };
    let mut stores: Vec<String> = names.iter().filter_map(|(name, _)| store(name)).collect();
    stores.dedup();
    Ok(stores)
}

/// Ends the reset of the topology `name`, which [`reset`] has done its part of on every shard: deletes its
/// internal topics, whether or not a store tells of them, and lets it start. Called on one shard.
///
/// # Errors
/// [`ResetError::Name`], [`ResetError::Topic`].
pub async fn end_reset<R: Runtime>(client: &ShardClient<R>, name: &str) -> Result<(), ResetError> {
    check_topology_name(name)?;
    for topic in internal_topics(client, name) {
        delete(client, &topic).await?;
    }
    delete(client, &resetting_name(name)).await
}

/// Whether a reset of the topology `name` was begun and did not end.
pub(super) fn is_resetting<R: Runtime>(client: &ShardClient<R>, name: &str) -> bool {
    client.topic(&resetting_name(name)).is_some()
}

fn resetting_name(name: &str) -> TopicName {
    TopicName::new(&resetting_topic(name)).expect("a topology's name leaves room for that")
}

fn internal_topics<R: Runtime>(client: &ShardClient<R>, name: &str) -> Vec<TopicName> {
    let topics = client.topics().into_iter().filter(|topic| topic.settings.internal);
    topics.map(|topic| topic.name).filter(|topic| is_repartition_topic_of(name, topic.as_str())).collect()
}

async fn delete<R: Runtime>(client: &ShardClient<R>, topic: &TopicName) -> Result<(), ResetError> {
    match client.delete_topic(topic).await {
        Ok(_) | Err(CatalogError::Unknown { .. }) => Ok(()),
        Err(source) => Err(ResetError::Topic { topic: topic.to_string(), source }),
    }
}
