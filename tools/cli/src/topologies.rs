//! Topologies on an open engine, seen from an ordinary thread.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use thalweg_engine::client::{CommitError, NameStoreError, ReadError, ShardClient};
use thalweg_engine::model::{ShardId, TopicName};
use thalweg_runtime::{
    Client, Engine, GlommioRuntime, Reply, ReplySlot, ThreadReceiver, ThreadSender, reply_slot,
    thread_gateway,
};
use thalweg_streams::Topology;
use thalweg_streams::runner::{
    self, ResetError, RunnerOptions, StartError, StreamsRunner, TaskFailure, TaskProgress, TaskState,
};

use crate::exit::{ExitCode, Failure};
use crate::session::{catalog_failure, read_failure, with_causes};

/// Questions to one shard's tasks that may wait at once.
const QUESTIONS_MAX: usize = 16;

/// What a thread asks of a shard's tasks.
enum Question {
    Progress(ReplySlot<Vec<TaskProgress>>),
    Stop(ReplySlot<Result<(), TaskFailure>>),
}

/// A topology whose tasks run on every shard of an engine.
pub struct Running {
    shards: Vec<ThreadSender<Question>>,
    client: Client,
    path: PathBuf,
}

/// What all tasks of a topology have done since they were started.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Each task's own account.
    pub tasks: Vec<TaskProgress>,
}

impl Totals {
    /// Sum of the committed positions in `topic`, over its partitions. Records.
    #[must_use]
    pub fn committed(&self, topic: &str) -> u64 {
        let inputs = self.tasks.iter().flat_map(|task| &task.inputs);
        inputs.filter(|input| input.topic == topic).map(|input| input.committed.0).sum()
    }

    /// Commits that are durable.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.tasks.iter().map(|task| task.commits).sum()
    }

    /// Records read from the source topics.
    #[must_use]
    pub fn records_in(&self) -> u64 {
        self.tasks.iter().map(|task| task.counters.records_in).sum::<u64>() - self.records_internal()
    }

    /// Records written to the topics of sinks.
    #[must_use]
    pub fn records_out(&self) -> u64 {
        self.tasks.iter().map(|task| task.counters.records_out - task.counters.internal_out).sum()
    }

    /// Records read from the topology's own topics.
    #[must_use]
    pub fn records_internal(&self) -> u64 {
        self.tasks.iter().map(|task| task.counters.internal_in).sum()
    }

    /// Records left out because processing them fails.
    #[must_use]
    pub fn records_failed(&self) -> u64 {
        self.tasks.iter().map(|task| task.counters.records_failed).sum()
    }

    /// Which record each task has left out last, and why.
    pub fn skipped(&self) -> impl Iterator<Item = String> {
        self.tasks.iter().filter_map(|task| Some(with_causes(task.last_skipped.as_ref()?)))
    }

    /// Whether a commit waits for space on the device.
    #[must_use]
    pub fn lacks_space(&self) -> bool {
        self.tasks.iter().any(|task| task.lacks_space)
    }
}

impl Running {
    /// Why a task has ended by itself, if one has.
    #[must_use]
    pub fn failure(&self, totals: &Totals) -> Option<Failure> {
        totals.tasks.iter().find_map(|task| match &task.state {
            TaskState::Failed(failure) => Some(self.damage(failure).unwrap_or_else(|| task_failure(failure))),
            _ => None,
        })
    }

    /// A damaged input, by its file.
    fn damage(&self, failure: &TaskFailure) -> Option<Failure> {
        let TaskFailure::Read { topic, partition, source: source @ ReadError::Damaged { .. } } = failure
        else {
            return None;
        };
        let topic = self.client.topic(&TopicName::new(topic.as_str()).ok()?).ok()??;
        let Failure { code, message } =
            read_failure(source, &self.path, topic.partitions.get(*partition as usize)?);
        let name = &topic.name;
        let message = format!(
            "the topology stopped: partition {partition} of topic {name} could not be read: {message}"
        );
        Some(Failure::new(code, message))
    }

    /// Starts the tasks of `topology` on every shard of `engine`.
    ///
    /// # Errors
    /// A [`Failure`], if a topic is missing or cannot be made.
    pub fn start(engine: &Engine, topology: Topology, options: RunnerOptions) -> Result<Self, Failure> {
        let topology = Arc::new(topology);
        let (started, outcomes) = flume::unbounded();
        let task = move |client: ShardClient<GlommioRuntime>| {
            let (topology, started) = (Arc::clone(&topology), started.clone());
            async move {
                match StreamsRunner::start(&client, &topology, options).await {
                    Err(error) => drop(started.send((client.shard(), Err(error)))),
                    Ok(runner) => {
                        let (sender, receiver) = thread_gateway(QUESTIONS_MAX);
                        drop(started.send((client.shard(), Ok(sender))));
                        drop(started);
                        answer(&runner, &receiver).await;
                    }
                }
            }
        };
        engine.on_each_shard(task).map_err(|error| Failure::failed(error.to_string()))?;
        let mut shards = Vec::new();
        let mut failure = None;
        for (shard, outcome) in outcomes.iter().take(usize::from(engine.info().shards)) {
            match outcome {
                Ok(sender) => shards.push((shard, sender)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        shards.sort_by_key(|(shard, _)| *shard);
        let running = Self {
            shards: shards.into_iter().map(|(_, sender)| sender).collect(),
            client: engine.client(),
            path: engine.info().path.clone(),
        };
        match failure {
            None => Ok(running),
            Some(error) => {
                // What the topology lacks is the reason; how the started tasks end says nothing more.
                let _ = running.stop();
                let hint = match &error {
                    StartError::StoreKind { .. } => {
                        ", or let the topology begin anew: `thalweg streams reset`"
                    }
                    StartError::ResetInterrupted { .. } => ": `thalweg streams reset`",
                    _ => "",
                };
                Err(Failure::new(start_code(&error), with_causes(&error) + hint))
            }
        }
    }

    /// What the tasks have done so far, as of their last commits. Shards that have ended are left out.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let tasks = self.ask(Question::Progress);
        Totals { tasks: tasks.into_iter().filter_map(|reply| reply.wait().ok()).flatten().collect() }
    }

    /// Lets every task commit what it has processed, and end.
    ///
    /// # Errors
    /// A [`Failure`], if a task had ended by itself.
    pub fn stop(self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for reply in self.ask(Question::Stop) {
            match reply.wait() {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => outcome = outcome.and(Err(task_failure(&failure))),
                Err(lost) => outcome = outcome.and(Err(Failure::failed(lost.to_string()))),
            }
        }
        outcome
    }

    /// Asks every shard at once.
    fn ask<T: Send + 'static>(&self, question: impl Fn(ReplySlot<T>) -> Question) -> Vec<Reply<T>> {
        let ask = |shard: &ThreadSender<Question>| {
            let (slot, reply) = reply_slot();
            // A shard that has ended drops the slot, and the reply is lost.
            let _ = shard.send(question(slot));
            reply
        };
        self.shards.iter().map(ask).collect()
    }
}

/// Forgets what the topology `name` keeps in the data folder of `engine`. Returns the names of its stores.
///
/// # Errors
/// A [`Failure`]; with exit code 3, if nothing is kept of it. Some may be forgotten after another; then the
/// topology does not start before this has been called again.
pub fn reset(engine: &Engine, name: &str) -> Result<BTreeSet<String>, Failure> {
    let keeps = on_shards(engine, name, async |client, name| runner::keeps_anything(&client, &name))?;
    if !keeps.contains(&true) {
        return Err(Failure::new(ExitCode::NotFound, format!("nothing is kept of topology {name}")));
    }
    let mut stores = BTreeSet::new();
    for outcome in on_shards(engine, name, async |client, name| runner::reset(&client, &name).await)? {
        stores.extend(outcome.map_err(|error| reset_failure(&error))?);
    }
    let end = async |client: ShardClient<GlommioRuntime>, name: String| match client.shard() {
        ShardId(0) => runner::end_reset(&client, &name).await,
        _ => Ok(()),
    };
    for outcome in on_shards(engine, name, end)? {
        outcome.map_err(|error| reset_failure(&error))?;
    }
    Ok(stores)
}

/// What `ask` answers on each shard, in no order.
fn on_shards<T: Send + 'static>(
    engine: &Engine,
    name: &str,
    ask: impl AsyncFn(ShardClient<GlommioRuntime>, String) -> T + Copy + Send + 'static,
) -> Result<Vec<T>, Failure> {
    let (sender, answers) = flume::unbounded();
    let name = name.to_owned();
    let task = move |client| {
        let (sender, name) = (sender.clone(), name.clone());
        async move { drop(sender.send(ask(client, name).await)) }
    };
    engine.on_each_shard(task).map_err(|error| Failure::failed(error.to_string()))?;
    let shards = usize::from(engine.info().shards);
    let answers: Vec<T> = answers.iter().take(shards).collect();
    if answers.len() < shards {
        return Err(Failure::failed("the engine was closed"));
    }
    Ok(answers)
}

fn reset_failure(error: &ResetError) -> Failure {
    let code = match error {
        ResetError::Name(_) => ExitCode::Usage,
        ResetError::Begin(error) => start_code(error),
        ResetError::Drop(CommitError::NoSpace) => ExitCode::Machine,
        ResetError::Drop(_) => ExitCode::Failed,
        ResetError::Topic { source, .. } => catalog_failure(source).code,
    };
    let hint = match error {
        ResetError::Name(_) | ResetError::Begin(_) => "",
        ResetError::Drop(_) | ResetError::Topic { .. } => "; run the reset again",
    };
    Failure::new(code, with_causes(error) + hint)
}

async fn answer(runner: &StreamsRunner, questions: &ThreadReceiver<Question>) {
    while let Some(question) = questions.receive().await {
        match question {
            Question::Progress(slot) => slot.send(runner.progress()),
            Question::Stop(slot) => {
                slot.send(runner.stop().await);
                return;
            }
        }
    }
}

fn start_code(error: &StartError) -> ExitCode {
    match error {
        StartError::UnknownTopic { .. } => ExitCode::NotFound,
        StartError::Catalog { source, .. } => catalog_failure(source).code,
        StartError::NotInternal { .. }
        | StartError::NotCopartitioned { .. }
        | StartError::StoreKind { .. } => ExitCode::Usage,
        StartError::ResetInterrupted { .. } => ExitCode::Failed,
        StartError::Name { source: NameStoreError::NoSpace, .. }
        | StartError::Commit { source: CommitError::NoSpace, .. } => ExitCode::Machine,
        StartError::Name { .. } | StartError::Commit { .. } => ExitCode::Failed,
    }
}

fn task_failure(failure: &TaskFailure) -> Failure {
    let code = if failure.is_no_space() { ExitCode::Machine } else { ExitCode::Failed };
    let hint = match failure {
        TaskFailure::Record { .. } => "; --skip-failed leaves such records out",
        _ => "",
    };
    Failure::new(code, format!("the topology stopped: {}{hint}", with_causes(failure)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_machines_doing_wherever_a_topology_meets_it() {
        for failure in [TaskFailure::Commit(CommitError::NoSpace), TaskFailure::Name(NameStoreError::NoSpace)]
        {
            assert_eq!(task_failure(&failure).code, ExitCode::Machine, "{failure}");
        }
        let closed = TaskFailure::Name(NameStoreError::Closed);
        assert_eq!(task_failure(&closed).code, ExitCode::Failed);
        let name = StartError::Name { store: "counts".to_owned(), source: NameStoreError::NoSpace };
        assert_eq!(start_code(&name), ExitCode::Machine);
    }
}
