//! The log of one shard: its bytes on disk, and everything that writes and reads them.

pub mod format;
