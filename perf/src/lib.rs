//! Benchmarks: what the device and the machine can do, what Thalweg makes of it, and the ratio of the two from
//! one run.
//!
//! A machine's speed changes from minute to minute, the more so when it is virtual. So nothing here is compared
//! with a number from another run: contestants take turns, round by round, every round's figure is printed, and
//! a ratio is the median of the rounds' own ratios.
//!
//! | module | what |
//! |---|---|
//! | `args`, `run` | the command line, and what it starts |
//! | [`measure`] | rounds, ratios, latencies, clocks |
//! | `machine` | facts that a figure means nothing without |
//! | `scratch` | a folder that is always removed, on a device that has room |
//! | `history` | one JSON line per run |
//! | `floor` | the device's floor, through our runtime and by fio |
//! | `hop` | between executors, and between a thread and an executor |
//! | `bed` | an engine to measure, and what is done on it |
//! | `append` | throughput of durable appends, of the floor |
//! | `latency` | one small durable append at a time, beside one flushed write |
//! | `partitions` | the same load on one partition and on many; the first fill of a log |
//! | `read_back` | one partition of many, before and after its batches were moved together |
//! | `restart` | from `exec` to the first read and append, after a kill |
//! | `word_count` | from a topic to a topic, beside the same counting in memory |
#![forbid(unsafe_code)]

mod append;
mod args;
mod bed;
mod floor;
mod history;
mod hop;
mod latency;
mod machine;
pub mod measure;
mod partitions;
mod read_back;
mod restart;
mod run;
mod scratch;
mod session;
mod word_count;

pub use run::run;
