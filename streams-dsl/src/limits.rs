//! Every bound of the streams crate, by name: thing, unit, bound.

use std::time::Duration;

/// Most nodes in one topology.
pub const TOPOLOGY_NODES_MAX: usize = 4096;

/// Longest name of a topology or a state store. Bytes. Internal topics join the two, so that the name of a
/// repartition topic stays below the limit of a topic name.
pub const NAME_SIZE_MAX: usize = 100;

/// How long an input may wait for the commit that holds its effects, unless configured otherwise.
pub const COMMIT_INTERVAL_DEFAULT: Duration = Duration::from_millis(100);

/// Bytes of outputs and state changes at which a task commits before the interval ends, unless configured
/// otherwise.
pub const COMMIT_SIZE_TARGET_DEFAULT: usize = 8 << 20;

/// Most bytes of outputs and state changes in one commit: a frame, less its directory and positions.
pub const COMMIT_SIZE_MAX: usize = thalweg_engine::limits::FRAME_SIZE_MAX - (2 << 20);

/// Input bytes that a task processes before it looks at its clock and lets other tasks run.
pub const TASK_STEP_BYTES: usize = 128 << 10;

/// Input bytes that a task asks for in one read.
pub const TASK_READ_BYTES: usize = 1 << 20;

/// Largest topology file. Bytes.
pub const YAML_FILE_SIZE_MAX: usize = 1 << 20;

/// Most steps in one topology file, steps of branches included.
pub const YAML_STEPS_MAX: usize = 1000;

/// Most lists and maps that a topology file may begin before it ends them. The library has a lower limit of its own, but
/// first takes time that grows with the square of this.
pub const YAML_DEPTH_MAX: usize = 1000;

/// Deepest nesting of branches and of predicates in a topology file.
pub const YAML_NESTING_MAX: usize = 8;

/// Most tests in one topology file, and most records in one of them.
pub const YAML_TESTS_MAX: usize = 1000;

/// Most rounds in which the test driver carries records through internal topics before it takes the topology
/// for an endless loop; validated topologies need one round per sub-topology.
pub const DRIVER_ROUNDS_MAX: usize = TOPOLOGY_NODES_MAX;

const _: () = assert!(COMMIT_SIZE_TARGET_DEFAULT < COMMIT_SIZE_MAX, "a commit is cut before it is too large");
const _: () = assert!(
    2 * NAME_SIZE_MAX + 24 < thalweg_engine::limits::TOPIC_NAME_SIZE_MAX,
    "the name of a repartition topic is a topic name"
);

/// Bytes of an input that are read ahead of its task.
pub const TASK_QUEUE_BYTES: usize = 4 << 20;

/// Smallest size at which commits are cut when larger ones do not fit into a frame. Bytes.
pub const COMMIT_SIZE_TARGET_MIN: usize = 4 << 10;

/// Between two attempts to commit while there is no space.
pub const NO_SPACE_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Most stores and positions that a reset drops at once.
pub const RESET_DROPS_MAX: usize = 1024;

/// Between two looks for a topic that another shard is making.
pub const TOPIC_RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// Most looks for a topic that another shard is making.
pub const TOPIC_RETRIES_MAX: usize = 2000;
