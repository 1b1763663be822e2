//! `thalweg topic`.

use serde_json::{Value, json};
use thalweg_engine::catalog::{Topic, TopicSettings};
use thalweg_engine::client::Bounds;
use thalweg_runtime::Engine;
use thalweg_streams::REPARTITION_SUFFIX;

use crate::args::{TopicArgs, TopicCommand, TopicCreateArgs, TopicDeleteArgs, TopicListArgs, TopicNameArgs};
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
    let created = engine.client().create_topic(&name, args.partitions, TopicSettings::default());
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
    print_line(&format!("{}  {}", topic.name, partitions(&topic)))?;
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

fn summary(topic: &Topic) -> Value {
    json!({"name": topic.name.as_str(), "id": topic.id.0, "partition_count": topic.partitions.len(),
           "internal": topic.settings.internal})
}

fn partitions(topic: &Topic) -> String {
    match topic.partitions.len() {
        1 => "1 partition".to_owned(),
        many => format!("{many} partitions"),
    }
}
