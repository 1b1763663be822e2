//! Facts about the machine, the file system and the tree, without which a figure means nothing.

mod facts;
mod file_system;
mod revision;

pub(crate) use facts::Machine;
pub(crate) use file_system::FileSystem;
pub(crate) use revision::revision;
