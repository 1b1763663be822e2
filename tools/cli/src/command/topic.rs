//! `thalweg topic`.

use serde_json::{Value, json};
use thalweg_engine::catalog::{Cleanup, CleanupPolicy, Retention, Topic, TopicSettings};
use thalweg_engine::client::{Bounds, SetLogStartError};
use thalweg_engine::model::Offset;
use thalweg_runtime::Engine;
use thalweg_streams::REPARTITION_SUFFIX;

use crate::args::{
    Before, CleanupArgs, RetentionArgs, TopicAlterArgs, TopicArgs, TopicCommand, TopicCreateArgs,
    TopicDeleteArgs, TopicListArgs, TopicNameArgs, TopicTrimArgs, duration_text, size_text,
};
use crate::exit::{ExitCode, Failure};
use crate::output::{print_json, print_line};
use crate::session;

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &TopicArgs) -> Result<(), Failure> {
    match &args.command {
        TopicCommand::Create(args) => create(args),
        TopicCommand::List(args) => list(args),
        TopicCommand::Describe(args) => describe(args),
        TopicCommand::Alter(args) => alter(args),
        TopicCommand::Trim(args) => trim(args),
        TopicCommand::Delete(args) => delete(args),
    }
}

fn create(args: &TopicCreateArgs) -> Result<(), Failure> {
    let name = session::topic_name(&args.name)?;
    if args.name.ends_with(REPARTITION_SUFFIX) {
        let message = format!(
            "topic {name}: names that end in '{REPARTITION_SUFFIX}' are internal topics of topologies"
        );
        return Err(Failure::new(ExitCode::Usage, message));
    }
    let engine = session::open_new(&args.data)?;
    let retention = retention(args.retention, Retention::default());
    let cleanup = cleanup(args.cleanup, Cleanup::default());
    let settings = TopicSettings { retention, cleanup, ..TopicSettings::default() };
    let created = engine.client().create_topic(&name, args.partitions, settings);
    let topic = session::close(engine, created.map_err(|error| session::catalog_failure(&error)))?;
    if args.json {
        return print_json(&summary(&topic));
    }
    print_line(&format!("created {} with {}", topic.name, partitions(&topic)))
}

fn list(args: &TopicListArgs) -> Result<(), Failure> {
    let engine = session::open(&args.data)?;
    let topics = engine.client().topics().map_err(|error| Failure::failed(error.to_string()));
    let mut topics = session::close(engine, topics)?;
    topics.retain(|topic| args.internal || !topic.settings.internal);
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    if args.json {
        return print_json(&Value::Array(topics.iter().map(summary).collect()));
    }
    for topic in &topics {
        let internal = if topic.settings.internal { ", internal" } else { "" };
        print_line(&format!("{}  {}{internal}", topic.name, partitions(topic)))?;
    }
    Ok(())
}

fn describe(args: &TopicNameArgs) -> Result<(), Failure> {
    let engine = session::open(&args.data)?;
    let described = look_at(&engine, &args.name);
    let (topic, bounds) = session::close(engine, described)?;
    if args.json {
        let mut object = summary(&topic);
        let rows = topic.partitions.iter().zip(&bounds).enumerate().map(|(index, (partition, bounds))| {
            json!({"partition": index, "id": partition.id.0, "shard": partition.shard.0,
                   "start": bounds.start.0, "end": bounds.end.0})
        });
        object["partitions"] = rows.collect();
        return print_json(&object);
    }
    print_line(&format!("{}  {}, {}", topic.name, partitions(&topic), kept(&topic)))?;
    print_line("partition  shard         start           end       records")?;
    for (index, (partition, bounds)) in topic.partitions.iter().zip(&bounds).enumerate() {
        let (shard, start, end) = (partition.shard.0, bounds.start.0, bounds.end.0);
        print_line(&format!("{index:9}  {shard:5}  {start:12}  {end:12}  {:12}", end - start))?;
    }
    Ok(())
}

fn look_at(engine: &Engine, name: &str) -> Result<(Topic, Vec<Bounds>), Failure> {
    let client = engine.client();
    let topic = session::existing_topic(&client, name)?;
    let mut all = Vec::with_capacity(topic.partitions.len());
    for partition in &topic.partitions {
        let bounds = client.bounds(partition);
        all.push(bounds.map_err(|error| session::read_failure(&error, &engine.info().path, partition))?);
    }
    Ok((topic, all))
}

fn delete(args: &TopicDeleteArgs) -> Result<(), Failure> {
    session::topic_name(&args.name)?;
    let engine = session::open(&args.data)?;
    let client = engine.client();
    let topic = if args.internal {
        session::existing_topic(&client, &args.name)
    } else {
        session::external_topic(&client, &args.name, "deleted without --internal")
    };
    let deleted = topic
        .and_then(|topic| client.delete_topic(&topic.name).map_err(|error| session::catalog_failure(&error)));
    let topic = session::close(engine, deleted)?;
    if args.json {
        return print_json(&json!({"deleted": topic.name.as_str()}));
    }
    print_line(&format!("deleted {}", topic.name))
}

fn alter(args: &TopicAlterArgs) -> Result<(), Failure> {
    session::topic_name(&args.name)?;
    let CleanupArgs { cleanup_policy, tombstone_delay, compaction_lag, compaction_dirty } = args.cleanup;
    let changes = args.retention.retention.is_some()
        || args.retention.retention_size.is_some()
        || cleanup_policy.is_some()
        || tombstone_delay.or(compaction_lag).is_some()
        || compaction_dirty.is_some();
    if !changes {
        let message = "nothing to change: give --retention, --retention-size, --cleanup-policy, --tombstone-delay, \
                       --compaction-lag or --compaction-dirty";
        return Err(Failure::new(ExitCode::Usage, message.to_owned()));
    }
    let engine = session::open(&args.data)?;
    let client = engine.client();
    let altered = session::external_topic(&client, &args.name, "altered").and_then(|topic| {
        let retention = retention(args.retention, topic.settings.retention);
        let cleanup = cleanup(args.cleanup, topic.settings.cleanup);
        let settings = TopicSettings { retention, cleanup, ..topic.settings };
        client.alter_topic(&topic.name, settings).map_err(|error| session::catalog_failure(&error))
    });
    let topic = session::close(engine, altered)?;
    if args.json {
        return print_json(&summary(&topic));
    }
    print_line(&format!("altered {}: {}", topic.name, kept(&topic)))
}

fn trim(args: &TopicTrimArgs) -> Result<(), Failure> {
    session::topic_name(&args.name)?;
    let engine = session::open(&args.data)?;
    let trimmed = trim_partition(&engine, args);
    let bounds = session::close(engine, trimmed)?;
    if args.json {
        return print_json(&json!({"topic": args.name, "partition": args.partition,
                                  "start": bounds.start.0, "end": bounds.end.0}));
    }
    let Bounds { start, end } = bounds;
    print_line(&format!("partition {} of {} begins at {start} and ends at {end}", args.partition, args.name))
}

fn trim_partition(engine: &Engine, args: &TopicTrimArgs) -> Result<Bounds, Failure> {
    let client = engine.client();
    let topic = session::external_topic(&client, &args.name, "trimmed")?;
    let partition = session::partition_of(&topic, args.partition)?;
    let failure = |error| session::read_failure(&error, &engine.info().path, partition);
    let before = match args.before {
        Before::End => client.bounds(partition).map_err(failure)?.end,
        Before::Offset(offset) => Offset(offset),
    };
    client.set_log_start(partition, before).map_err(|error| {
        let code = match error {
            SetLogStartError::BehindEnd { .. } => ExitCode::NotFound,
            _ => ExitCode::Failed,
        };
        Failure::new(code, error.to_string())
    })?;
    client.bounds(partition).map_err(failure)
}

/// The retention that `args` ask for, where it was `before`.
fn retention(args: RetentionArgs, before: Retention) -> Retention {
    Retention {
        ms: args.retention.map_or(before.ms, |limit| limit.value()),
        bytes: args.retention_size.map_or(before.bytes, |limit| limit.value()),
    }
}

/// The cleanup that `args` ask for, where it was `before`.
fn cleanup(args: CleanupArgs, before: Cleanup) -> Cleanup {
    Cleanup {
        policy: args.cleanup_policy.unwrap_or(before.policy),
        tombstone_delay_ms: args.tombstone_delay.unwrap_or(before.tombstone_delay_ms),
        lag_ms: args.compaction_lag.unwrap_or(before.lag_ms),
        dirty_percent: args.compaction_dirty.unwrap_or(before.dirty_percent),
    }
}

/// The policy's name, as Kafka has it.
fn policy_name(policy: CleanupPolicy) -> &'static str {
    match policy {
        CleanupPolicy::Delete => "delete",
        CleanupPolicy::Compact => "compact",
        CleanupPolicy::CompactAndDelete => "compact,delete",
    }
}

/// Which of the topic's records are kept, and how long.
fn kept(topic: &Topic) -> String {
    let Cleanup { policy, tombstone_delay_ms, .. } = topic.settings.cleanup;
    let compacted = format!("the latest of each key, tombstones for {}", duration_text(tombstone_delay_ms));
    match policy {
        CleanupPolicy::Delete => kept_for(topic),
        CleanupPolicy::Compact => format!("kept {compacted}"),
        CleanupPolicy::CompactAndDelete => format!("{}: {compacted}", kept_for(topic)),
    }
}

/// How long the topic's records are kept.
fn kept_for(topic: &Topic) -> String {
    let Retention { ms, bytes } = topic.settings.retention;
    let time = ms.map(|ms| format!("for {}", duration_text(ms)));
    let size = bytes.map(|bytes| format!("up to {} a partition", size_text(bytes)));
    let limits: Vec<String> = time.into_iter().chain(size).collect();
    if limits.is_empty() { "kept for ever".to_owned() } else { format!("kept {}", limits.join(" and ")) }
}

fn summary(topic: &Topic) -> Value {
    let Retention { ms, bytes } = topic.settings.retention;
    let Cleanup { policy, tombstone_delay_ms, lag_ms, dirty_percent } = topic.settings.cleanup;
    json!({"name": topic.name.as_str(), "id": topic.id.0, "partition_count": topic.partitions.len(),
           "internal": topic.settings.internal, "retention_ms": ms, "retention_bytes": bytes,
           "cleanup_policy": policy_name(policy), "tombstone_delay_ms": tombstone_delay_ms,
           "compaction_lag_ms": lag_ms, "compaction_dirty_percent": dirty_percent})
}

fn partitions(topic: &Topic) -> String {
    match topic.partitions.len() {
        1 => "1 partition".to_owned(),
        many => format!("{many} partitions"),
    }
}
