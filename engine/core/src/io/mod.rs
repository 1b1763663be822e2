//! The seams: what the engine asks of the world, as one trait with two implementations.
//!
//! `thalweg-runtime` implements [`Runtime`] over glommio, `thalweg-sim` over a seeded simulation. Nothing is
//! `Send`: a runtime value belongs to one executor thread. Byte streams and listeners join this trait with
//! the protocols.

mod error;
mod file;
mod mesh;
mod runtime;
mod signal;

pub use error::{DiskError, DiskOperation};
pub use file::{Buffer, File, FileKind, OpenMode, open_existing};
pub use mesh::{Mesh, MeshFull};
pub use runtime::{Monotonic, Priority, Runtime};
pub use signal::Signal;
