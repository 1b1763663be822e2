//! Finding the topics of a topology, and making those that are missing.

use std::collections::BTreeMap;

use thalweg_engine::client::{CatalogError, ShardClient, Topic, TopicSettings};
use thalweg_engine::io::Runtime;
use thalweg_engine::model::TopicName;

use super::{RunnerOptions, StartError};
use crate::limits::{TOPIC_RETRIES_MAX, TOPIC_RETRY_INTERVAL};
use crate::topology::Topology;

/// All topics of a topology, by name.
pub(super) type Topics = BTreeMap<String, Topic>;

/// Finds or makes all topics of `topology`.
pub(super) async fn resolve<R: Runtime>(
    client: &ShardClient<R>,
    topology: &Topology,
    options: &RunnerOptions,
) -> Result<Topics, StartError> {
    let mut topics = Topics::new();
    let (sources, _) = topology.external_topics();
    for source in sources {
        let topic = client.topic(&topic_name(source));
        let topic = topic.ok_or_else(|| StartError::UnknownTopic { topic: source.to_owned() })?;
        topics.insert(source.to_owned(), topic);
    }
    let internal: Vec<&str> = topology.internal_topics().into_iter().map(|(topic, _)| topic).collect();
    // A sub-topology is numbered behind those that feed it, except through topics of others, which exist.
    for sub in topology.sub_topologies() {
        let feeding = sub.sources.iter().filter_map(|source| topics.get(source));
        let partitions = feeding.map(|topic| topic.partitions.len() as u32).max().unwrap_or(1);
        for sink in &sub.sinks {
            if topics.contains_key(sink) {
                continue;
            }
            let is_internal = internal.contains(&sink.as_str());
            if !is_internal && !options.create_missing_sinks && client.topic(&topic_name(sink)).is_none() {
                return Err(StartError::UnknownTopic { topic: sink.clone() });
            }
            let partitions = options.repartition_partitions.filter(|_| is_internal).unwrap_or(partitions);
            let topic = find_or_make(
                client,
                sink,
                partitions,
                TopicSettings { internal: is_internal, ..TopicSettings::default() },
            )
            .await?;
            topics.insert(sink.clone(), topic);
        }
    }
    Ok(topics)
}

/// The topic of this name, as this shard has committed it; made if there is none.
pub(super) async fn find_or_make<R: Runtime>(
    client: &ShardClient<R>,
    topic: &str,
    partitions: u32,
    settings: TopicSettings,
) -> Result<Topic, StartError> {
    let name = topic_name(topic);
    if let Some(found) = client.topic(&name) {
        return own_or_external(found, settings);
    }
    match client.create_topic(&name, partitions, settings).await {
        Ok(made) => Ok(made),
        // Another shard is making it; this one has not heard of it yet.
        Err(CatalogError::Exists { .. }) => {
            for _ in 0..TOPIC_RETRIES_MAX {
                if let Some(found) = client.topic(&name) {
                    return own_or_external(found, settings);
                }
                client.runtime().sleep(TOPIC_RETRY_INTERVAL).await;
            }
            Err(StartError::UnknownTopic { topic: topic.to_owned() })
        }
        Err(source) => Err(StartError::Catalog { topic: topic.to_owned(), source }),
    }
}

/// What others write to a topic of that name is none of the topology's own records.
fn own_or_external(found: Topic, settings: TopicSettings) -> Result<Topic, StartError> {
    if settings.internal && !found.settings.internal {
        return Err(StartError::NotInternal { topic: found.name.to_string() });
    }
    Ok(found)
}

fn topic_name(name: &str) -> TopicName {
    TopicName::new(name).expect("the names of a topology's topics were checked")
}
