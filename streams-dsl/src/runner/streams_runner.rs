//! The runner.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use thalweg_engine::client::ShardClient;
use thalweg_engine::io::{Priority, Runtime, Signal};
use thalweg_engine::model::Offset;

use super::assign::{Assignment, assign};
use super::kinds;
use super::reset::is_resetting;
use super::signal::Flag;
use super::task_loop::TaskLoop;
use super::topics::resolve;
use super::{InputProgress, RunnerOptions, StartError, TaskFailure, TaskProgress, TaskState};
use crate::task::TaskCounters;
use crate::topology::Topology;

/// The tasks of one topology on one shard.
///
/// Every shard of the engine starts one with the same topology and options; together they run all tasks. A
/// runner that is dropped leaves its tasks running.
pub struct StreamsRunner {
    tasks: Vec<RunningTask>,
    stop: Rc<Flag>,
}

struct RunningTask {
    progress: Rc<RefCell<TaskProgress>>,
    wake: Rc<Signal>,
    ended: Rc<Flag>,
}

impl StreamsRunner {
    /// Finds the topology's topics, makes those that are missing, and starts the tasks that belong to the
    /// client's shard. They go on where they were: after the inputs that they committed last, or at the
    /// beginning.
    ///
    /// # Errors
    /// [`StartError`]; nothing was started.
    pub async fn start<R: Runtime>(
        client: &ShardClient<R>,
        topology: &Arc<Topology>,
        options: RunnerOptions,
    ) -> Result<Self, StartError> {
        if is_resetting(client, topology.name()) {
            return Err(StartError::ResetInterrupted { topology: topology.name().to_owned() });
        }
        let topics = resolve(client, topology, &options).await?;
        let stop = Rc::new(Flag::default());
        let assignments = assign(topology, &topics, client.shard())?;
        kinds::check(client, topology).await?;
        let mut tasks = Vec::new();
        for assignment in assignments {
            let wake = Rc::new(Signal::default());
            let ended = Rc::new(Flag::default());
            let progress = Rc::new(RefCell::new(no_progress(&assignment)));
            let task = TaskLoop {
                client: client.clone(),
                topology: Arc::clone(topology),
                assignment,
                options,
                stop: Rc::clone(&stop),
                wake: Rc::clone(&wake),
                progress: Rc::clone(&progress),
            };
            let end = Rc::clone(&ended);
            client.runtime().spawn(Priority::Foreground, async move {
                task.run().await;
                end.set();
            });
            tasks.push(RunningTask { progress, wake, ended });
        }
        Ok(Self { tasks, stop })
    }

    /// What the tasks on this shard have done so far, as of their last commits.
    #[must_use]
    pub fn progress(&self) -> Vec<TaskProgress> {
        self.tasks.iter().map(|task| task.progress.borrow().clone()).collect()
    }

    /// Lets every task commit what it has processed, and waits until all have ended.
    ///
    /// # Errors
    /// The first [`TaskFailure`], if a task had ended by itself or failed to commit.
    pub async fn stop(&self) -> Result<(), TaskFailure> {
        self.stop.set();
        for task in &self.tasks {
            task.wake.give();
        }
        for task in &self.tasks {
            task.ended.wait().await;
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// The first failure of a task so far.
    #[must_use]
    pub fn failure(&self) -> Option<TaskFailure> {
        self.tasks.iter().find_map(|task| match &task.progress.borrow().state {
            TaskState::Failed(failure) => Some(failure.clone()),
            _ => None,
        })
    }
}

impl fmt::Debug for StreamsRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamsRunner").field("tasks", &self.progress()).finish()
    }
}

fn no_progress(assignment: &Assignment) -> TaskProgress {
    let input = |input: &super::assign::AssignedInput| InputProgress {
        topic: input.topic.clone(),
        partition: assignment.partition,
        committed: Offset(0),
        processed: Offset(0),
    };
    TaskProgress {
        sub: assignment.sub,
        partition: assignment.partition,
        state: TaskState::Starting,
        inputs: assignment.inputs.iter().map(input).collect(),
        counters: TaskCounters::default(),
        last_skipped: None,
        commits: 0,
        lacks_space: false,
        commit_time_max: std::time::Duration::ZERO,
    }
}
