//! The runtime seam over glommio: one executor thread per shard-log, files by direct I/O on io_uring, the
//! mesh between executors, a gateway for ordinary threads.
//!
//! [`Engine`] is all of this for a program: it opens a data folder and serves its threads. Below it, [`start`]
//! is where executors begin: it checks the machine ([`preflight`]), makes the executors and runs one future on
//! each. [`FolderLock`] keeps a data folder to one process.
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
pub use mesh::{MeshEnd, MeshSocket, mesh_sockets};
pub use options::{HaltHook, RuntimeOptions};
pub use runtime::GlommioRuntime;
