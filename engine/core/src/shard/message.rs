//! What shards say to each other.

/// One message of the mesh. `Send`, moved between threads, never shared.
#[derive(Debug)]
pub enum MeshMessage {}
