//! Looking at the log of a shard that nobody has open: what it holds, without opening it.

use std::cell::RefCell;
use std::path::Path;

use super::state::ShardState;
use crate::catalog::{Catalog, CatalogVersion};
use crate::io::Runtime;
use crate::log::inspect::{Finding, InspectError, restore_state};
use crate::model::{PartitionId, ShardId};

/// What a shard holds by the frames of its log.
#[derive(Debug)]
pub(crate) struct ShardContents<R: Runtime> {
    state: ShardState<R>,
    /// Why not all of it could be built.
    pub(crate) finding: Option<Finding>,
}

impl<R: Runtime> ShardContents<R> {
    /// Reads what the log in `folder` says of `shard`. Nothing is changed.
    ///
    /// # Errors
    /// [`InspectError`].
    pub(crate) async fn read(runtime: &R, shard: ShardId, folder: &Path) -> Result<Self, InspectError> {
        let state = RefCell::new(ShardState::new(runtime.clone(), shard));
        let finding = restore_state(runtime, folder, &state).await?;
        Ok(Self { state: state.into_inner(), finding })
    }

    /// The catalog, as far as this shard's own log says it: all of it, if it is shard 0.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.state.catalog
    }

    /// Whether it holds something that is made only once all shards of the folder are open.
    pub(crate) fn was_used(&self) -> bool {
        self.state.catalog.version() != CatalogVersion::default() || !self.state.partitions.is_empty()
    }

    /// A partition that it holds and that `catalog` has not given yet, as a start would look for it.
    pub(crate) fn ungiven(&self, catalog: &Catalog) -> Option<PartitionId> {
        self.state.ungiven(catalog)
    }
}
