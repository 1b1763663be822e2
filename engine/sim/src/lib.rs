//! The seeded simulator: the second implementation of [`thalweg_engine::io::Runtime`].
//!
//! One [`World`] is one machine: a clock, a disk and at most one running process, whose shards all run on the
//! caller's thread. Everything that a machine decides by chance (which task runs next, how long a write takes,
//! what a power loss leaves behind) is decided by one `u64` seed: same seed, same run, bit for bit.
//!
//! ```
//! use std::path::Path;
//! use std::time::Duration;
//! use thalweg_engine::io::Runtime;
//! use thalweg_sim::{Crash, RunEnd, StopAt, World, WorldConfig};
//!
//! let world = World::new(7, WorldConfig::swarm(7));
//! world.start(2, |runtime| async move {
//!     runtime.create_folder(Path::new("/data/shard")).await.unwrap();
//!     runtime.sleep(Duration::from_secs(1)).await;
//! });
//! assert_eq!(world.run_until(StopAt::Poll(3)), RunEnd::Stopped);
//! world.crash(Crash::Power);
//! ```
//!
//! Invariant: no clock, no randomness, no thread and no address decides anything here.
#![forbid(unsafe_code)]

mod clock;
mod config;
mod coverage;
mod disk;
mod executor;
pub mod explore;
pub mod harness;
mod mesh;
mod prng;
mod runtime;
mod shared;
mod trace;
pub mod workloads;
mod world;

pub use clock::WallRange;
pub use config::{Chance, FaultConfig, WorldConfig};
pub use coverage::{Coverage, FAULTS};
pub use disk::{BitFlip, SavedDisk, SimBuffer, SimFile};
pub use mesh::SimMesh;
pub use prng::Prng;
pub use runtime::SimRuntime;
pub use world::{Crash, RunEnd, StopAt, World};
