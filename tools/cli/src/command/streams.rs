//! `thalweg streams`.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use thalweg_engine::catalog::TopicSettings;
use thalweg_engine::model::TopicName;
use thalweg_runtime::Engine;
use thalweg_streams::Topology;
use thalweg_streams::limits::YAML_FILE_SIZE_MAX;
use thalweg_streams::runner::RunnerOptions;
use thalweg_streams::yaml::YamlTopology;

use crate::args::{
    StreamsArgs, StreamsCommand, StreamsDescribeArgs, StreamsResetArgs, StreamsRunArgs, StreamsTestArgs,
};
use crate::clock;
use crate::exit::{ExitCode, Failure};
use crate::output::{print_json, print_line, say};
use crate::session;
use crate::signal::Interrupt;
use crate::topologies::{self, Running, Totals};

/// How often the tasks are asked how far they are.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// So many looks in a row must find nothing to do.
const IDLE_LOOKS: u32 = 3;

/// Looks in a row that find no space before a run that is to end gives up.
const FULL_LOOKS_MAX: u32 = 100;

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &StreamsArgs) -> Result<(), Failure> {
    match &args.command {
        StreamsCommand::Run(args) => run_topology(args),
        StreamsCommand::Reset(args) => reset(args),
        StreamsCommand::Describe(args) => describe(args),
        StreamsCommand::Test(args) => test(args),
    }
}

/// Reads and checks a topology file.
fn read(path: &Path) -> Result<YamlTopology, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(ExitCode::NotFound, format!("{} cannot be read: {error}", path.display()))
    };
    let file = File::open(path).map_err(unreadable)?;
    // One byte more than the limit shows that it is exceeded, even by a file without end.
    let mut bytes = Vec::new();
    file.take(YAML_FILE_SIZE_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > YAML_FILE_SIZE_MAX {
        let message = format!("{} is larger than {YAML_FILE_SIZE_MAX} bytes", path.display());
        return Err(Failure::new(ExitCode::Usage, message));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(ExitCode::Usage, format!("{} is not UTF-8 at byte {at}", path.display()))
    })?;
    YamlTopology::parse(&text).map_err(|error| {
        let (line, column) = (error.line, error.column);
        Failure::new(ExitCode::Usage, format!("{}:{line}:{column}: {}", path.display(), error.message))
    })
}

fn describe(args: &StreamsDescribeArgs) -> Result<(), Failure> {
    let file = read(&args.file)?;
    let topology = file.topology();
    let text = if args.mermaid { topology.mermaid() } else { topology.describe() };
    print_line(text.trim_end())
}

fn test(args: &StreamsTestArgs) -> Result<(), Failure> {
    let file = read(&args.file)?;
    if file.tests().is_empty() {
        say(&format!("note: {} contains no tests", args.file.display()));
    }
    let failures = file.run_tests();
    for failure in &failures {
        print_line(&format!("FAILED {failure}"))?;
    }
    let (total, failed) = (file.tests().len(), failures.len());
    print_line(&format!("{} passed, {failed} failed", total - failed))?;
    if failed > 0 {
        return Err(Failure::failed(format!("{failed} of {total} tests failed")));
    }
    Ok(())
}

fn run_topology(args: &StreamsRunArgs) -> Result<(), Failure> {
    let file = read(&args.file)?;
    let interrupt = Interrupt::listen()?;
    let engine = session::open_new(&args.data)?;
    let outcome = run_on(&engine, file.topology().clone(), args, &interrupt);
    let totals = session::close(engine, outcome)?;
    if args.json {
        return print_json(&summary(file.topology().name(), &totals));
    }
    let (read, written, commits) = (totals.records_in(), totals.records_out(), totals.commits());
    let own = match totals.records_internal() {
        0 => String::new(),
        own => format!(" and {own} between its own parts"),
    };
    let failed = match totals.records_failed() {
        0 => String::new(),
        failed => format!("; skipped {failed} that cannot be processed"),
    };
    print_line(&format!("read {read} records, wrote {written}{own}, in {commits} commits{failed}"))
}

fn reset(args: &StreamsResetArgs) -> Result<(), Failure> {
    let name = session::topic_name(&args.name)?;
    if !args.force {
        let message = format!(
            "this drops the stores, positions and internal topics of topology {name}; with --force it is done"
        );
        return Err(Failure::new(ExitCode::Usage, message));
    }
    let engine = session::open(&args.data)?;
    let outcome = topologies::reset(&engine, &args.name);
    let stores = session::close(engine, outcome)?;
    let stores: Vec<String> = stores.into_iter().collect();
    let dropped = if stores.is_empty() { "no stores".to_owned() } else { stores.join(", ") };
    print_line(&format!("reset {name}; dropped its positions and {dropped}"))
}

/// Runs until interrupted, or until everything in the source topics is processed.
fn run_on(
    engine: &Engine,
    topology: Topology,
    args: &StreamsRunArgs,
    interrupt: &Interrupt,
) -> Result<Totals, Failure> {
    let name = topology.name().to_owned();
    create_sources(engine, &topology, args.partitions)?;
    let options = RunnerOptions {
        commit_interval: Duration::from_millis(args.commit_interval_ms),
        skip_failed: args.skip_failed,
        ..RunnerOptions::default()
    };
    let running = Running::start(engine, topology, options)?;
    say(&format!("{name} is running; Ctrl-C ends it after a last commit"));
    let (mut still, mut full) = (0, 0);
    let mut last = running.totals();
    while !interrupt.is_requested() && still < IDLE_LOOKS {
        clock::sleep(LOOK_INTERVAL);
        let totals = running.totals();
        if let Some(failure) = running.failure(&totals) {
            return Err(failure);
        }
        if totals.records_failed() > last.records_failed() {
            totals.skipped().for_each(|reason| eprintln!("note: skipped: {reason}"));
        }
        full = if totals.lacks_space() { full + 1 } else { 0 };
        match full {
            1 => say(&format!("note: no space left for a commit; {name} goes on when there is")),
            FULL_LOOKS_MAX if args.until_idle => {
                return Err(Failure::new(ExitCode::Machine, format!("no space left for a commit of {name}")));
            }
            _ => {}
        }
        // Nothing is on its way: all inputs are committed to their ends, some looks in a row.
        let idle = args.until_idle && totals.commits() == last.commits() && is_caught_up(engine, &totals)?;
        still = if idle { still + 1 } else { 0 };
        last = totals;
    }
    let totals = running.totals();
    running.stop()?;
    if args.until_idle && still < IDLE_LOOKS {
        return Err(Failure::new(ExitCode::Interrupted, "interrupted before everything was processed"));
    }
    Ok(totals)
}

/// Makes the source topics that do not exist.
fn create_sources(engine: &Engine, topology: &Topology, partitions: u32) -> Result<(), Failure> {
    let client = engine.client();
    let (sources, _) = topology.external_topics();
    for source in sources {
        let name = session::topic_name(source)?;
        let known = client.topic(&name).map_err(|error| Failure::failed(error.to_string()))?;
        if known.is_none() {
            let created = client.create_topic(&name, partitions, TopicSettings::default());
            created.map_err(|error| session::catalog_failure(&error))?;
        }
    }
    Ok(())
}

/// Whether every task has committed everything in its inputs.
fn is_caught_up(engine: &Engine, totals: &Totals) -> Result<bool, Failure> {
    let client = engine.client();
    for input in totals.tasks.iter().flat_map(|task| &task.inputs) {
        let name = TopicName::new(&input.topic).map_err(|error| Failure::failed(error.to_string()))?;
        let topic = client.topic(&name).map_err(|error| Failure::failed(error.to_string()))?;
        let partition = topic.as_ref().and_then(|topic| topic.partitions.get(input.partition as usize));
        let Some(partition) = partition else { return Ok(false) };
        let bounds = client.bounds(partition);
        let bounds = bounds.map_err(|error| session::read_failure(&error, &engine.info().path, partition))?;
        if input.committed < bounds.end {
            return Ok(false);
        }
    }
    Ok(true)
}

fn summary(name: &str, totals: &Totals) -> Value {
    let inputs = totals.tasks.iter().flat_map(|task| &task.inputs);
    let inputs = inputs.map(
        |input| json!({"topic": input.topic, "partition": input.partition, "committed": input.committed.0}),
    );
    json!({
        "topology": name,
        "records_in": totals.records_in(),
        "records_out": totals.records_out(),
        "records_internal": totals.records_internal(),
        "records_failed": totals.records_failed(),
        "commits": totals.commits(),
        "inputs": inputs.collect::<Vec<Value>>(),
    })
}
