//! The runtime seam over glommio: one executor thread per shard-log, files by direct I/O on io_uring, the
//! mesh between executors, a gateway for ordinary threads.
//!
//! # A log inside a program
//!
//! [`Engine`] opens a data folder. [`Client`] is for ordinary threads: it blocks, any number of threads may use it,
//! and an answer to an append means that the batch is durable. [`Engine::on_each_shard`] runs a future on every
//! shard, next to the data, with a client that reads without copying.
//!
//! ```
//! use std::time::Duration;
//!
//! use thalweg_engine::catalog::TopicSettings;
//! use thalweg_engine::model::{BatchBuilder, BatchView, Offset, Timestamp, TopicName};
//! use thalweg_runtime::{Engine, EngineOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = EngineOptions { shards: Some(2), ..EngineOptions::default() };
//! # options.runtime.buffered = true; // wherever this runs
//! # options.runtime.registered_memory_bytes = Some(1 << 20);
//! # options.log.segment_size = 4 << 20;
//! # options.log.frame_size_max = 1 << 20;
//! options.log.pool_target = 2; // segments kept ready ahead of use
//! # let folder = std::env::temp_dir().join(format!("thalweg-doc-{}", std::process::id()));
//! # /*
//! let folder = std::path::Path::new("./data");
//! # */
//! let engine = Engine::open(&folder, options)?;
//!
//! // From an ordinary thread: create, append, read.
//! let client = engine.client();
//! let name = TopicName::new("greetings")?;
//! let topic = client.create_topic(&name, 2, TopicSettings::default())?;
//! let partition = &topic.partitions[0];
//! let mut batch = BatchBuilder::new();
//! batch.push(Timestamp(0), Some(b"en"), Some(b"hello"), &[])?;
//! batch.push(Timestamp(0), Some(b"de"), Some(b"hallo"), &[])?;
//! let on_its_way = client.append(partition, batch.into_bytes()); // more may be sent meanwhile
//! let appended = on_its_way.wait()??; // durable now
//! assert_eq!(appended.base, Offset(0));
//! for batch in client.read(partition, Offset(0), 1 << 20, Duration::ZERO)? {
//!     for record in BatchView::parse(&batch.bytes)?.iter() {
//!         println!("{}", String::from_utf8_lossy(record.value.unwrap_or_default()));
//!     }
//! }
//!
//! // From a task on each shard: what the shard owns is read in place, in nobody's way.
//! let (sender, counts) = std::sync::mpsc::channel();
//! engine.on_each_shard(move |shard| {
//!     let (sender, name) = (sender.clone(), name.clone());
//!     async move {
//!         let topic = shard.topic(&name).expect("it was created above");
//!         for partition in topic.partitions.iter().filter(|partition| partition.shard == shard.shard()) {
//!             let batches = shard.read(partition.id, Offset(0), 1 << 20).await.unwrap_or_default();
//!             sender.send(batches.iter().map(|batch| batch.count()).sum::<u32>()).ok();
//!         }
//!     }
//! })?;
//! assert_eq!(counts.iter().sum::<u32>(), 2);
//!
//! engine.close()?;
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embedded.rs` is a whole program, with idempotent producers and several threads.
//!
//! What fails says so by type: [`OpenEngineError`] for the folder, and the errors of
//! [`thalweg_engine::client`] for each operation. A failed write or flush ends the process with exit code 70, unless
//! [`RuntimeOptions::on_halt`] says otherwise: nothing is acknowledged after it. A shard must not be blocked: no
//! waiting for other threads, no long computing without `should_yield`, in a future that runs on one.
//!
//! # Below
//!
//! [`start`] is where executors begin: it checks the machine ([`preflight`]), makes the executors and runs one
//! future on each. [`FolderLock`] keeps a data folder to one process. [`probe`] measures a device.
//!
//! Invariant: no other crate imports glommio or libc, and of the crates above the archives only this one
//! contains `unsafe`.

mod buffer;
mod clock;
mod cpu;
mod embedded;
mod errno;
mod executors;
mod file;
mod folder;
mod gateway;
mod lock;
mod memory;
mod mesh;
mod operation;
mod options;
mod polled;
pub mod preflight;
pub mod probe;
mod pulse;
mod runtime;
mod tasks;

pub use buffer::AlignedBuffer;
pub use embedded::{
    Client, ClosedError, Device, Engine, EngineInfo, EngineOptions, OpenEngineError, Pending,
};
pub use executors::{Executors, StartError, start};
pub use file::DiskFile;
pub use gateway::{
    GatewayClosed, Reply, ReplyLost, ReplySlot, ThreadReceiver, ThreadSender, TrySendError, reply_slot,
    thread_gateway,
};
pub use lock::{FolderLock, LockError};
pub use memory::HugePages;
pub use mesh::{MeshEnd, MeshSocket, mesh_sockets};
pub use options::{HaltHook, RuntimeOptions};
pub use runtime::GlommioRuntime;
