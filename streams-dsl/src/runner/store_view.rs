//! The stores of a task, as its shard keeps them.

use thalweg_engine::client::ShardClient;
use thalweg_engine::io::Runtime;
use thalweg_engine::model::StoreId;

use crate::state::StateView;

/// Reads the committed stores of one task.
pub(super) struct StoreView<R: Runtime> {
    pub(super) client: ShardClient<R>,
    pub(super) stores: Vec<StoreId>,
}

impl<R: Runtime> StateView for StoreView<R> {
    fn lend(&self, store: usize, key: &[u8], then: &mut dyn FnMut(Option<&[u8]>)) {
        self.client.store_get(self.stores[store], key, then);
    }
}
