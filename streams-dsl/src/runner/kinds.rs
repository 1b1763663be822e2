//! What made each store: kept beside it, so that other steps do not read its bytes as theirs.

use thalweg_engine::client::{Commit, CommitError, ShardClient};
use thalweg_engine::io::Runtime;
use thalweg_engine::model::{BatchBuilder, StoreId, Timestamp};

use super::StartError;
use crate::topology::Topology;

/// Key under which a store's kind is kept.
const KIND_KEY: &[u8] = b"kind";

/// Compares what made the stores of `topology` with what it makes of them now; on a shard that knows nothing
/// of a store yet, remembers it. Every shard does this for every store, so that all come to the same answer.
///
/// # Errors
/// [`StartError::StoreKind`] for the first store that other steps made.
pub(super) async fn check<R: Runtime>(
    client: &ShardClient<R>,
    topology: &Topology,
) -> Result<(), StartError> {
    let mut unknown = Vec::new();
    for (store, kind) in topology.store_kinds() {
        let failure = |source| StartError::Name { store: store.to_owned(), source };
        let id = client.name(&format!("{}/kind/{store}", topology.name())).await.map_err(failure)?;
        let found = client.store_get(id, KIND_KEY, |kind| kind.map(<[u8]>::to_vec));
        match found {
            None => unknown.push((store, kind, id)),
            Some(found) if found == kind.as_bytes() => {}
            Some(found) => {
                let found = String::from_utf8_lossy(&found).into_owned();
                return Err(StartError::StoreKind { store: store.to_owned(), found, wanted: kind });
            }
        }
    }
    for (store, kind, id) in unknown {
        match remember(client, id, &kind).await {
            // Without room nothing else is written either; the next start remembers it.
            Ok(()) | Err(CommitError::NoSpace) => {}
            Err(source) => return Err(StartError::Commit { store: store.to_owned(), source }),
        }
    }
    Ok(())
}

async fn remember<R: Runtime>(client: &ShardClient<R>, id: StoreId, kind: &str) -> Result<(), CommitError> {
    let mut batch = BatchBuilder::new();
    batch.push(Timestamp(0), Some(KIND_KEY), Some(kind.as_bytes()), &[]).map_err(CommitError::Batch)?;
    let commit = Commit { task: id, deltas: vec![(id, batch.into_bytes())], ..Commit::default() };
    client.commit(&commit).await
}
