//! `thalweg topic`.

use serde_json::{Value, json};
use thalweg_engine::catalog::{Topic, TopicSettings};
use thalweg_engine::client::Bounds;
use thalweg_runtime::Client;

use crate::args::{TopicArgs, TopicCommand, TopicCreateArgs, TopicListArgs, TopicNameArgs};
use crate::exit::Failure;
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
    let engine = session::open(&args.data.data, &args.data.open)?;
    let created = engine.client().create_topic(&name, args.partitions, TopicSettings::default());
    let topic = session::close(engine, created.map_err(|error| session::catalog_failure(&error)))?;
    if args.json {
        return print_json(&summary(&topic));
    }
    print_line(&format!("created {} with {}", topic.name, partitions(&topic)))
}

fn list(args: &TopicListArgs) -> Result<(), Failure> {
    let engine = session::open(&args.data.data, &args.data.open)?;
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
    let engine = session::open(&args.data.data, &args.data.open)?;
    let described = look_at(&engine.client(), &args.name);
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

fn look_at(client: &Client, name: &str) -> Result<(Topic, Vec<Bounds>), Failure> {
    let topic = session::existing_topic(client, name)?;
    let mut all = Vec::with_capacity(topic.partitions.len());
    for partition in &topic.partitions {
        all.push(client.bounds(partition).map_err(|error| session::read_failure(&error))?);
    }
    Ok((topic, all))
}

fn delete(args: &TopicNameArgs) -> Result<(), Failure> {
    let name = session::topic_name(&args.name)?;
    let engine = session::open(&args.data.data, &args.data.open)?;
    let deleted = engine.client().delete_topic(&name);
    session::close(engine, deleted.map_err(|error| session::catalog_failure(&error)))?;
    if args.json {
        return print_json(&json!({"deleted": name.as_str()}));
    }
    print_line(&format!("deleted {name}"))
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
