//! Which tasks run on this shard.

use thalweg_engine::model::{PartitionId, ShardId};

use super::StartError;
use super::topics::Topics;
use crate::topology::{SubTopology, Topology};

/// One task, with everything that the catalog says about its surroundings.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) sub: usize,
    pub(super) partition: u32,
    /// Its name in the shard-log: names its input positions.
    pub(super) name: String,
    /// Names of its stores in the shard-log, in the order of the sub-topology.
    pub(super) stores: Vec<String>,
    /// Partitions that it reads. Topics with fewer partitions have none for it.
    pub(super) inputs: Vec<AssignedInput>,
    /// For each topic that it writes, its partitions.
    pub(super) outputs: Vec<Vec<PartitionId>>,
}

/// A partition that a task reads.
#[derive(Clone, Debug)]
pub(super) struct AssignedInput {
    /// Place of the topic among those of the sub-topology.
    pub(super) source: usize,
    pub(super) topic: String,
    pub(super) id: PartitionId,
    /// Whether its log start follows the task: an internal topic's partition on this shard.
    pub(super) is_trimmed: bool,
}

/// The tasks of `topology` on shard `shard`. Every shard comes to the same division.
pub(super) fn assign(
    topology: &Topology,
    topics: &Topics,
    shard: ShardId,
) -> Result<Vec<Assignment>, StartError> {
    let mut assignments = Vec::new();
    for (number, sub) in topology.sub_topologies().iter().enumerate() {
        check_copartitioned(sub, topics)?;
        let label = task_label(topology, number);
        let tasks = sub.sources.iter().map(|source| topics[source].partitions.len()).max().unwrap_or(0);
        for partition in 0..tasks as u32 {
            if home(sub, topics, partition) == Some(shard) {
                assignments.push(assignment(topology, topics, shard, (number, partition), &label));
            }
        }
    }
    Ok(assignments)
}

/// The shard of the task's own partition: an internal one if it has one, since its log start moves with the
/// task's commits.
fn home(sub: &SubTopology, topics: &Topics, partition: u32) -> Option<ShardId> {
    let order = sub.internal_sources.iter().chain(&sub.sources);
    order
        .filter_map(|source| topics[source].partitions.get(partition as usize))
        .map(|place| place.shard)
        .next()
}

fn assignment(
    topology: &Topology,
    topics: &Topics,
    shard: ShardId,
    (sub_number, partition): (usize, u32),
    label: &str,
) -> Assignment {
    let sub = &topology.sub_topologies()[sub_number];
    let name = topology.name();
    let inputs = sub.sources.iter().enumerate().filter_map(|(source, topic)| {
        let place = topics[topic].partitions.get(partition as usize)?;
        let is_trimmed = sub.internal_sources.contains(topic) && place.shard == shard;
        Some(AssignedInput { source, topic: topic.clone(), id: place.id, is_trimmed })
    });
    let ids = |topic: &String| topics[topic].partitions.iter().map(|place| place.id).collect();
    Assignment {
        sub: sub_number,
        partition,
        name: format!("{name}/task/{label}/{partition}"),
        stores: sub.stores.iter().map(|store| format!("{name}/store/{store}/{partition}")).collect(),
        inputs: inputs.collect(),
        outputs: sub.sinks.iter().map(ids).collect(),
    }
}

/// Names a sub-topology by its first topic rather than by its number, which changes with the topology. Further
/// sub-topologies of the same topic are numbered.
fn task_label(topology: &Topology, number: usize) -> String {
    let subs = topology.sub_topologies();
    let first = &subs[number].sources[0];
    let earlier = subs[..number].iter().filter(|sub| sub.sources[0] == *first).count();
    format!("{first}/{earlier}")
}

fn check_copartitioned(sub: &SubTopology, topics: &Topics) -> Result<(), StartError> {
    let Some((one, others)) = sub.sources.split_first().filter(|_| !sub.stores.is_empty()) else {
        return Ok(());
    };
    let partitions = |topic: &String| topics[topic].partitions.len() as u32;
    match others.iter().find(|other| partitions(other) != partitions(one)) {
        None => Ok(()),
        Some(other) => Err(StartError::NotCopartitioned {
            one: one.clone(),
            one_partitions: partitions(one),
            other: other.clone(),
            other_partitions: partitions(other),
        }),
    }
}
