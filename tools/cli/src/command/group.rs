//! `thalweg group`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thalweg_engine::catalog::{Partition, Topic};
use thalweg_engine::client::{Bounds, CommittedOffset, DeleteGroupError, GroupSummary, OffsetCommit};
use thalweg_engine::model::{GroupName, Offset, PartitionId, TimeSearch, Timestamp};
use thalweg_runtime::{Client, Engine};

use crate::args::{GroupArgs, GroupCommand, GroupListArgs, GroupNameArgs, GroupResetArgs, Start};
use crate::exit::{ExitCode, Failure};
use crate::output::{print_json, print_line};
use crate::session;

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &GroupArgs) -> Result<(), Failure> {
    match &args.command {
        GroupCommand::List(args) => list(args),
        GroupCommand::Describe(args) => describe(args),
        GroupCommand::Delete(args) => delete(args),
        GroupCommand::ResetOffsets(args) => reset(args),
    }
}

fn groups(client: &Client) -> Result<Vec<GroupSummary>, Failure> {
    client.groups().map_err(|error| Failure::failed(error.to_string()))
}

fn list(args: &GroupListArgs) -> Result<(), Failure> {
    let engine = session::open(&args.data)?;
    let groups = groups(&engine.client());
    let groups = session::close(engine, groups)?;
    if args.json {
        return print_json(&Value::Array(groups.iter().map(summary).collect()));
    }
    for group in &groups {
        print_line(&line(group))?;
    }
    Ok(())
}

fn summary(group: &GroupSummary) -> Value {
    json!({"name": group.name.as_str(), "active": group.active, "offset_count": group.offsets})
}

fn line(group: &GroupSummary) -> String {
    let offsets =
        if group.offsets == 1 { "1 offset".to_owned() } else { format!("{} offsets", group.offsets) };
    let members = if group.active { "has members" } else { "no members" };
    format!("{}  {offsets}, {members}", group.name)
}

/// A committed offset and what its partition holds.
struct Row {
    topic: String,
    index: usize,
    committed: CommittedOffset,
    bounds: Bounds,
}

impl Row {
    /// Records that the group has still to read, of those that are there.
    fn lag(&self) -> u64 {
        self.bounds.end.0.saturating_sub(self.committed.offset.0.max(self.bounds.start.0))
    }
}

fn describe(args: &GroupNameArgs) -> Result<(), Failure> {
    let name = session::group_name(&args.name)?;
    let engine = session::open(&args.data)?;
    let described = look_at(&engine, &name);
    let (group, rows) = session::close(engine, described)?;
    if args.json {
        let mut object = summary(&group);
        let row = |row: &Row| {
            json!({"topic": row.topic, "partition": row.index, "offset": row.committed.offset.0,
                   "start": row.bounds.start.0, "end": row.bounds.end.0, "lag": row.lag(),
                   "leader_epoch": row.committed.leader_epoch, "metadata": row.committed.metadata})
        };
        object["offsets"] = rows.iter().map(row).collect();
        object["lag"] = json!(rows.iter().map(Row::lag).sum::<u64>());
        return print_json(&object);
    }
    print_line(&line(&group))?;
    let width = rows.iter().map(|row| row.topic.chars().count()).max().unwrap_or(0).max(5);
    print_line(&format!("{:width$}  partition        offset           end           lag", "topic"))?;
    for row in &rows {
        let (topic, index, offset, end) = (&row.topic, row.index, row.committed.offset.0, row.bounds.end.0);
        print_line(&format!("{topic:width$}  {index:9}  {offset:12}  {end:12}  {:12}", row.lag()))?;
    }
    Ok(())
}

fn look_at(engine: &Engine, name: &GroupName) -> Result<(GroupSummary, Vec<Row>), Failure> {
    let client = engine.client();
    let group = existing_group(&client, name)?;
    let committed =
        client.committed_offsets(name, None).map_err(|error| Failure::failed(error.to_string()))?;
    let topics = client.topics().map_err(|error| Failure::failed(error.to_string()))?;
    let mut places: BTreeMap<PartitionId, (&Topic, usize)> = BTreeMap::new();
    for topic in &topics {
        let indexes = topic.partitions.iter().enumerate();
        places.extend(indexes.map(|(index, partition)| (partition.id, (topic, index))));
    }
    let mut rows = Vec::with_capacity(committed.len());
    for committed in committed {
        // A topic that was deleted meanwhile.
        let Some((topic, index)) = places.get(&committed.partition) else { continue };
        let partition = &topic.partitions[*index];
        let bounds = bounds(engine, &client, partition)?;
        rows.push(Row { topic: topic.name.as_str().to_owned(), index: *index, committed, bounds });
    }
    rows.sort_by(|a, b| (&a.topic, a.index).cmp(&(&b.topic, b.index)));
    Ok((group, rows))
}

fn bounds(engine: &Engine, client: &Client, partition: &Partition) -> Result<Bounds, Failure> {
    let bounds = client.bounds(partition);
    bounds.map_err(|error| session::read_failure(&error, &engine.info().path, partition))
}

/// The group of this name.
fn existing_group(client: &Client, name: &GroupName) -> Result<GroupSummary, Failure> {
    let groups = groups(client)?;
    if let Some(group) = groups.iter().find(|group| group.name == *name) {
        return Ok(group.clone());
    }
    let known: Vec<&str> = groups.iter().take(10).map(|group| group.name.as_str()).collect();
    let hint = if known.is_empty() {
        "there is no group".to_owned()
    } else {
        format!("there are: {}", known.join(", "))
    };
    Err(Failure::new(ExitCode::NotFound, format!("group {name} does not exist; {hint}")))
}

fn delete(args: &GroupNameArgs) -> Result<(), Failure> {
    let name = session::group_name(&args.name)?;
    let engine = session::open(&args.data)?;
    let client = engine.client();
    let deleted = existing_group(&client, &name)
        .and_then(|_| client.delete_group(&name).map_err(|error| delete_failure(&error)));
    session::close(engine, deleted)?;
    if args.json {
        return print_json(&json!({"deleted": name.as_str()}));
    }
    print_line(&format!("deleted {name}"))
}

fn delete_failure(error: &DeleteGroupError) -> Failure {
    let code = match error {
        DeleteGroupError::Unknown { .. } => ExitCode::NotFound,
        DeleteGroupError::NoSpace => ExitCode::Machine,
        DeleteGroupError::Active { .. } | DeleteGroupError::Closed => ExitCode::Failed,
    };
    Failure::new(code, error.to_string())
}

fn reset(args: &GroupResetArgs) -> Result<(), Failure> {
    let name = session::group_name(&args.name)?;
    session::topic_name(&args.topic)?;
    let engine = session::open(&args.data)?;
    let outcome = reset_offsets(&engine, args, &name);
    let offsets = session::close(engine, outcome)?;
    if args.json {
        let row = |(index, offset): &(usize, Offset)| json!({"partition": index, "offset": offset.0});
        let rows: Vec<Value> = offsets.iter().map(row).collect();
        return print_json(&json!({"name": name.as_str(), "topic": args.topic, "offsets": rows}));
    }
    for (index, offset) in &offsets {
        print_line(&format!("{name} goes on at offset {offset} of partition {index} of {}", args.topic))?;
    }
    Ok(())
}

/// Commits the new offsets, all of them or none; with the indexes of their partitions.
fn reset_offsets(
    engine: &Engine,
    args: &GroupResetArgs,
    name: &GroupName,
) -> Result<Vec<(usize, Offset)>, Failure> {
    let client = engine.client();
    let topic = session::existing_topic(&client, &args.topic)?;
    if let Some(partition) = args.partition {
        session::partition_of(&topic, partition)?;
    }
    if groups(&client)?.iter().any(|group| group.name == *name && group.active) {
        return Err(delete_failure(&DeleteGroupError::Active { group: name.clone() }));
    }
    let (mut commits, mut offsets) = (Vec::new(), Vec::new());
    for (index, partition) in topic.partitions.iter().enumerate() {
        if args.partition.is_some_and(|only| only as usize != index) {
            continue;
        }
        let offset = target(engine, args, (index, partition))?;
        commits.push(OffsetCommit { partition: partition.id, offset, ..OffsetCommit::default() });
        offsets.push((index, offset));
    }
    session::commit_offsets(&client, name, commits)?;
    Ok(offsets)
}

/// Where the group goes on in a partition.
fn target(
    engine: &Engine,
    args: &GroupResetArgs,
    (index, partition): (usize, &Partition),
) -> Result<Offset, Failure> {
    let client = engine.client();
    let Bounds { start, end } = bounds(engine, &client, partition)?;
    if let Some(time) = args.to_time {
        let found = client.find_by_time(partition, TimeSearch::Since(Timestamp(time)));
        let found = found.map_err(|error| session::read_failure(&error, &engine.info().path, partition))?;
        return Ok(found.map_or(end, |found| found.offset));
    }
    match args.to {
        Some(Start::Offset(offset)) if offset < start.0 || offset > end.0 => {
            let message = format!("partition {index} of {} holds {start} to {end}, not {offset}", args.topic);
            Err(Failure::new(ExitCode::NotFound, message))
        }
        Some(Start::Offset(offset)) => Ok(Offset(offset)),
        Some(Start::End) => Ok(end),
        Some(Start::Beginning) | None => Ok(start),
    }
}
