//! Looking at a data folder that nobody has open. Nothing is changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::manifest::{find_damage, shards_with_files};
use super::{FORMAT_VERSION, Folder, FolderError, FolderId, MANIFEST_NAME, shard_folder};
use crate::io::Runtime;
use crate::limits::SHARDS_MAX;
use crate::log::LogHome;
use crate::log::inspect::{Finding, Findings, InspectError, LogCheck, LogView, Loss, inspect, verify};
use crate::model::{PartitionId, ShardId, TopicName};
use crate::shard::ShardContents;

/// Why a data folder could not be looked at. Damage is no such reason.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FolderInspectError {
    /// There is no data folder, a newer version made it, or the disk refused.
    #[error("the data folder could not be read")]
    Folder(#[from] FolderError),
    /// The log of a shard was written by a newer version, or the disk refused.
    #[error("the log of shard {shard} could not be read")]
    Log {
        /// The shard.
        shard: ShardId,
        /// The cause.
        source: InspectError,
    },
}

/// What was found in a data folder: of each log what its files say, or what a check of them found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FolderView<L = LogView> {
    /// What the manifest says, if it reads.
    pub manifest: Option<Folder>,
    /// What is wrong with the manifest.
    pub manifest_damages: Vec<Finding>,
    /// The log of each shard; without a manifest, of those that have a file.
    pub shards: Vec<ShardView<L>>,
    /// Of which topic a partition is, and which of its partitions, as far as the catalog in shard 0 reads.
    pub partitions: BTreeMap<PartitionId, (TopicName, usize)>,
}

/// The log of a shard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShardView<L = LogView> {
    /// The shard.
    pub shard: ShardId,
    /// Its log.
    pub log: L,
}

/// What a check of a data folder found.
pub type FolderCheck = FolderView<LogCheck>;

/// The check of a shard's log.
pub type ShardCheck = ShardView<LogCheck>;

impl FolderCheck {
    /// Number of damages.
    #[must_use]
    pub fn damages(&self) -> u64 {
        let logs: u64 = self.shards.iter().map(|shard| shard.log.view.findings.count()).sum();
        logs + self.manifest_damages.len() as u64
    }

    /// Whether everything is what was written. A torn tail is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damages() == 0
    }
}

/// Which format a data folder has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FolderFormat {
    /// The newest version in it; above [`FORMAT_VERSION`] it is refused by everything that opens it.
    pub version: u16,
    /// The first file found that has it.
    pub file: PathBuf,
    /// The folder's name, if the manifest can be read.
    pub id: Option<FolderId>,
    /// Number of its shards, if the manifest can be read.
    pub shards: Option<u16>,
}

impl FolderFormat {
    /// Whether this code reads it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.version <= FORMAT_VERSION
    }
}

/// What the files of the data folder at `path` say, which nobody may have open; see [`inspect()`].
///
/// # Errors
/// [`FolderInspectError`].
pub async fn inspect_folder<R: Runtime>(runtime: &R, path: &Path) -> Result<FolderView, FolderInspectError> {
    look_at(runtime, path, async |log, home| inspect(runtime, log, home).await).await
}

/// Reads all of the data folder at `path`, which nobody may have open, and names each damage; see [`verify`]. One shard
/// after the other.
///
/// # Errors
/// [`FolderInspectError`].
pub async fn verify_folder<R: Runtime>(runtime: &R, path: &Path) -> Result<FolderCheck, FolderInspectError> {
    let mut check = look_at(runtime, path, async |log, home| verify(runtime, log, home).await).await?;
    check_contents(runtime, path, &mut check).await?;
    Ok(check)
}

/// Names the partitions of a data folder, and checks that its shards belong to one time, as a start does.
async fn check_contents<R: Runtime>(
    runtime: &R,
    path: &Path,
    check: &mut FolderCheck,
) -> Result<(), FolderInspectError> {
    let opens = |findings: &Findings| {
        findings.list().iter().all(|finding| matches!(finding.loss, Loss::Nothing | Loss::Parts { .. }))
    };
    let is_first = |shard: &ShardCheck| shard.shard == ShardId(0) && shard.log.view.superblock.is_some();
    if !check.shards.first().is_some_and(|first| is_first(first) && opens(&first.log.view.findings)) {
        return Ok(());
    }
    let writer = contents(runtime, path, ShardId(0)).await?;
    for topic in writer.catalog().topics() {
        for (index, partition) in topic.partitions.iter().enumerate() {
            check.partitions.insert(partition.id, (topic.name.clone(), index));
        }
    }
    for shard in &mut check.shards {
        let findings = &mut shard.log.view.findings;
        if !opens(findings) {
            continue;
        }
        let held = contents(runtime, path, shard.shard).await?;
        let (file, position) = (shard_folder(path, shard.shard), 0);
        if let Some(partition) = held.ungiven(writer.catalog()) {
            let what = format!(
                "it holds partition {partition}, which the catalog in shard 0 has not made yet: one of the two is an \
                 older copy"
            );
            findings.push(Finding { file, position, what, loss: Loss::Log });
        }
        held.finding.into_iter().for_each(|finding| findings.push(finding));
    }
    Ok(())
}

async fn contents<R: Runtime>(
    runtime: &R,
    path: &Path,
    shard: ShardId,
) -> Result<ShardContents<R>, FolderInspectError> {
    let read = ShardContents::read(runtime, shard, &shard_folder(path, shard)).await;
    read.map_err(|source| FolderInspectError::Log { shard, source })
}

/// Looks at the manifest, and with `look` at the log of one shard after the other.
async fn look_at<R: Runtime, L>(
    runtime: &R,
    path: &Path,
    look: impl AsyncFn(&Path, Option<LogHome>) -> Result<L, InspectError>,
) -> Result<FolderView<L>, FolderInspectError> {
    let (manifest, manifest_damages) = read_manifest(runtime, path).await?;
    let mut shards = Vec::new();
    for shard in shards_of(runtime, path, manifest.as_ref()).await? {
        let home = manifest.as_ref().map(|folder| folder.home(shard));
        let log = look(&shard_folder(path, shard), home).await;
        let log = log.map_err(|source| FolderInspectError::Log { shard, source })?;
        shards.push(ShardView { shard, log });
    }
    Ok(FolderView { manifest, manifest_damages, shards, partitions: BTreeMap::new() })
}

/// Which format the data folder at `path` has, which nobody may have open. Reads what a start would read.
///
/// # Errors
/// [`FolderInspectError`], except for newer versions. A damaged manifest is an error.
pub async fn folder_format<R: Runtime>(runtime: &R, path: &Path) -> Result<FolderFormat, FolderInspectError> {
    let manifest = path.join(MANIFEST_NAME);
    let newer = |file, version, folder: Option<&Folder>| FolderFormat {
        version,
        file,
        id: folder.map(|folder| folder.id),
        shards: folder.map(|folder| folder.shards),
    };
    let folder = match Folder::open(runtime, path).await {
        Ok(folder) => folder,
        Err(FolderError::NewerVersion { file, found, .. }) => return Ok(newer(file, found, None)),
        Err(error) => return Err(error.into()),
    };
    for shard in (0..folder.shards).map(ShardId) {
        match inspect(runtime, &folder.shard(shard), None).await {
            Ok(_) => {}
            Err(InspectError::NewerVersion { file, found, .. }) => {
                return Ok(newer(file, found, Some(&folder)));
            }
            Err(source) => return Err(FolderInspectError::Log { shard, source }),
        }
    }
    Ok(newer(manifest, FORMAT_VERSION, Some(&folder)))
}

async fn read_manifest<R: Runtime>(
    runtime: &R,
    path: &Path,
) -> Result<(Option<Folder>, Vec<Finding>), FolderInspectError> {
    let file = path.join(MANIFEST_NAME);
    let lost = |position, what: &str| {
        (None, vec![Finding { file: file.clone(), position, what: what.to_owned(), loss: Loss::Log }])
    };
    match Folder::open(runtime, path).await {
        Ok(folder) => {
            let damage = find_damage(runtime, path, folder.complete).await.map_err(FolderError::Disk)?;
            let finding = |(position, what): (u64, &str)| {
                let what = format!("a block of the manifest does not read, the other one counts: {what}");
                Finding { file: file.clone(), position, what, loss: Loss::Nothing }
            };
            Ok((Some(folder), damage.into_iter().map(finding).collect()))
        }
        Err(FolderError::Damaged { position, what, .. }) => Ok(lost(position, what)),
        Err(error) => Err(error.into()),
    }
}

/// The shards of a data folder: those that the manifest tells of, or those that have a file.
async fn shards_of<R: Runtime>(
    runtime: &R,
    path: &Path,
    manifest: Option<&Folder>,
) -> Result<Vec<ShardId>, FolderInspectError> {
    if let Some(folder) = manifest {
        return Ok((0..folder.shards).map(ShardId).collect());
    }
    Ok(shards_with_files(runtime, path, SHARDS_MAX).await.map_err(FolderError::Disk)?)
}
