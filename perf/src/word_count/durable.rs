//! One durable run of the topology.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use thalweg_engine::client::ShardClient;
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{Offset, PartitionId, TopicName};
use thalweg_streams::runner::{RunnerOptions, StreamsRunner, TaskProgress};
use thalweg_streams::serdes::Bytes;
use thalweg_streams::{StreamsBuilder, Topology, words};

use super::timeline::{Sample, latencies};
use crate::measure::Latencies;

/// Between two looks at the tasks.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// Looks after which a run has hung: more than ten minutes' worth.
const LOOKS_MAX: usize = 600_000;

/// What a run came to.
pub(super) struct Outcome {
    pub(super) elapsed: Duration,
    pub(super) commits: u64,
    /// Records of the output topic.
    pub(super) outputs: u64,
    /// The longest that a commit took to become durable.
    pub(super) commit_time_max: Duration,
    /// From a line's being processed to its counts being durable in the output topic.
    pub(super) end_to_end: Latencies,
}

/// The word count from topic `source` to topic `sink`.
///
/// # Errors
/// If the topology is not valid.
pub(super) fn topology(name: &str, source: &str, sink: &str) -> Result<Topology> {
    let builder = StreamsBuilder::new();
    let words = builder.stream::<Bytes, Bytes>(source).flat_map_values(words());
    words.group_by::<Bytes>(|_, word| word).count("counts").to_stream().to(sink);
    builder.build(name).context("the word count")
}

/// Runs `topology` over everything that its source holds, and stops it when all of it is counted.
///
/// # Errors
/// The topology's, or the engine's.
pub(super) async fn run<R: Runtime>(
    client: ShardClient<R>,
    topology: Arc<Topology>,
    commit_interval: Duration,
) -> Result<Outcome> {
    let (sources, sinks) = topology.external_topics();
    let source = partition(&client, sources[0])?;
    let end = client.bounds(source).await?.end;
    let begin = client.runtime().now();
    let options = RunnerOptions { commit_interval, ..RunnerOptions::default() };
    let runner = StreamsRunner::start(&client, &topology, options).await?;
    let mut samples = Vec::new();
    for _ in 0..LOOKS_MAX {
        client.runtime().sleep(LOOK_INTERVAL).await;
        if let Some(failure) = runner.failure() {
            return Err(failure.into());
        }
        let tasks = runner.progress();
        let sample = look(&client, &tasks, sources[0], client.runtime().now().since(begin))?;
        samples.push(sample);
        if sample.committed == end.0 && sample.counted == sample.handed {
            break;
        }
    }
    let last = samples.last().context("there was a look")?;
    ensure!(
        last.committed == end.0,
        "{} of {} lines were counted after {:?}",
        last.committed,
        end.0,
        last.at
    );
    let tasks = runner.progress();
    runner.stop().await?;
    let outputs = client.bounds(partition(&client, sinks[0])?).await?;
    Ok(Outcome {
        elapsed: last.at,
        commits: tasks.iter().map(|task| task.commits).sum(),
        outputs: outputs.end.0,
        commit_time_max: tasks.iter().map(|task| task.commit_time_max).max().unwrap_or_default(),
        end_to_end: latencies(&samples, end.0),
    })
}

/// How far the tasks are.
fn look<R: Runtime>(
    client: &ShardClient<R>,
    tasks: &[TaskProgress],
    source: &str,
    at: Duration,
) -> Result<Sample> {
    let mut sample = Sample { at, ..Sample::default() };
    for input in tasks.iter().flat_map(|task| &task.inputs) {
        if input.topic == source {
            (sample.processed, sample.committed) = (input.processed.0, input.committed.0);
        } else {
            let handed = client.local_bounds(partition(client, &input.topic)?);
            sample.handed = handed.map_or(Offset(0), |bounds| bounds.end).0;
            sample.counted = input.committed.0;
        }
    }
    Ok(sample)
}

/// The one partition of the topic `name`.
fn partition<R: Runtime>(client: &ShardClient<R>, name: &str) -> Result<PartitionId> {
    let topic = client.topic(&TopicName::new(name)?).with_context(|| format!("there is no topic {name}"))?;
    ensure!(topic.partitions.len() == 1, "{name} has one partition");
    Ok(topic.partitions[0].id)
}
