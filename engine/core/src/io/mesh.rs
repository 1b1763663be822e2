//! How shards talk.

use std::future::Future;

use crate::model::ShardId;

/// The channel to that shard is full. With credits ([`MESH_CREDITS`](crate::limits::MESH_CREDITS)) this is a
/// bug of ours, not a state of the world.
#[derive(Debug)]
pub struct MeshFull<M>(pub M);

/// One shard's end of the mesh: bounded channels to every other shard. Messages of one pair arrive in the
/// order sent; between pairs there is no order.
pub trait Mesh<M>: Clone + 'static {
    /// Sends without waiting.
    ///
    /// # Errors
    /// [`MeshFull`] with the message, if the channel has no room.
    fn try_send(&self, to: ShardId, message: M) -> Result<(), MeshFull<M>>;

    /// The next message from any shard; `None` when every other shard has gone.
    fn receive(&self) -> impl Future<Output = Option<(ShardId, M)>> + '_;
}
