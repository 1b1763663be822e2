//! The manifest of a data folder. Source: FORMAT.md, "Manifest".

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::layout::LOST_AND_FOUND;
use super::{LOCK_NAME, shard_folder};
use crate::io::{Buffer, DiskError, File, FileKind, OpenMode, Runtime, open_existing};
use crate::limits::{BLOCK_SIZE, SHARDS_MAX};
use crate::log::LogHome;
use crate::log::format::LogOwner;
use crate::log::inspect::InspectError;
use crate::model::{FolderId, ShardId};
use crate::shard::ShardContents;

/// Name of the manifest in its data folder.
pub const MANIFEST_NAME: &str = "META";

const MAGIC: [u8; 8] = *b"THALWEGD";

/// Version of the format of data folders that this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u16 = 1;

/// Bytes before the checksum.
const CHECKED_SIZE: usize = 28;

/// A data folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Its name.
    pub id: FolderId,
    /// Number of its shard-logs.
    pub shards: u16,
    /// All of them have been made: one that is not there was lost.
    pub complete: bool,
    /// The manifest's second block, which tells that, reads. Without it, it is told by what the shard-logs hold.
    pub second_block: bool,
}

/// Why a folder was not opened as a data folder. Nothing in it was changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FolderError {
    /// There is no data folder there.
    #[error("{path:?} is not a data folder: it has no {MANIFEST_NAME}")]
    NotADataFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with other things in it does not become a data folder.
    #[error("{path:?} holds {name:?} and is not a data folder; an empty folder is needed")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// The first thing found in it.
        name: String,
    },
    /// A newer version of the program made it.
    #[error("{file:?} was written by a newer version: format {found}; this program reads up to {known}")]
    NewerVersion {
        /// The manifest.
        file: PathBuf,
        /// Version found.
        found: u16,
        /// Newest version known.
        known: u16,
    },
    /// It was made with another number of shards, which is fixed.
    #[error("{path:?} has {found} shards, which cannot become {asked}")]
    ShardCount {
        /// The folder.
        path: PathBuf,
        /// Shards that it has.
        found: u16,
        /// Shards asked for.
        asked: u16,
    },
    /// A folder cannot have this number of shards.
    #[error("{asked} shards; allowed are 1 to {limit}")]
    ShardLimit {
        /// Shards asked for.
        asked: u16,
        /// [`SHARDS_MAX`].
        limit: u16,
    },
    /// The manifest is damaged.
    #[error("{file:?} is damaged at byte {position}: {what}")]
    Damaged {
        /// The manifest.
        file: PathBuf,
        /// Where in it.
        position: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// The disk refused.
    #[error("the data folder could not be opened")]
    Disk(#[from] DiskError),
}

/// What the bytes of a manifest say.
enum Read {
    Sound { id: FolderId, shards: u16, complete: bool },
    Newer { found: u16 },
    Unsound { position: u64, what: &'static str },
}

impl Folder {
    /// Opens the data folder at `path`.
    ///
    /// # Errors
    /// [`FolderError`], except for `NotEmpty`, `ShardCount` and `ShardLimit`.
    pub async fn open<R: Runtime>(runtime: &R, path: &Path) -> Result<Self, FolderError> {
        match Self::read(runtime, path, SHARDS_MAX).await? {
            Some(folder) => Ok(folder),
            None => Err(FolderError::NotADataFolder { path: path.to_owned() }),
        }
    }

    /// Opens the data folder at `path`, or makes one of `shards` shards where there is nothing, or where the
    /// making of one was interrupted. On return it is durable.
    ///
    /// # Errors
    /// [`FolderError`], except for `NotADataFolder`.
    pub async fn open_or_create<R: Runtime>(
        runtime: &R,
        path: &Path,
        shards: u16,
    ) -> Result<Self, FolderError> {
        if shards == 0 || shards > SHARDS_MAX {
            return Err(FolderError::ShardLimit { asked: shards, limit: SHARDS_MAX });
        }
        if let Some(folder) = Self::read(runtime, path, shards).await? {
            if folder.shards != shards {
                let (path, found) = (folder.path, folder.shards);
                return Err(FolderError::ShardCount { path, found, asked: shards });
            }
            return Ok(folder);
        }
        let names = runtime.list_folder(path).await?;
        let ours = [MANIFEST_NAME, LOCK_NAME, LOST_AND_FOUND];
        if let Some(name) = names.into_iter().find(|name| !ours.contains(&name.as_str())) {
            return Err(FolderError::NotEmpty { path: path.to_owned(), name });
        }
        let id = FolderId(runtime.random().max(FolderId::NONE.0 + 1));
        let folder = Self { path: path.to_owned(), id, shards, complete: false, second_block: false };
        runtime.create_folder(path).await?;
        folder.write(runtime).await?;
        Ok(folder)
    }

    /// Makes durable that all shard-logs have been made, if it is not yet: from then on one that is missing is not
    /// made anew.
    ///
    /// # Errors
    /// The disk's.
    pub async fn complete<R: Runtime>(&mut self, runtime: &R) -> Result<(), DiskError> {
        if !self.second_block {
            (self.complete, self.second_block) = (true, true);
            self.write(runtime).await?;
            runtime.mark("folder-complete");
        }
        Ok(())
    }

    /// The folder of one of its shard-logs.
    ///
    /// # Panics
    /// If there is no such shard.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> PathBuf {
        assert!(shard.0 < self.shards, "a shard of this folder");
        shard_folder(&self.path, shard)
    }

    /// Whose log one of its shard-logs is.
    #[must_use]
    pub fn home(&self, shard: ShardId) -> LogHome {
        LogHome { owner: LogOwner { folder: self.id, shard }, complete: self.complete }
    }

    /// `None` if there is no data folder, or one whose making was interrupted: no shard-log was made then. So if there is
    /// one of the first `shards`, the manifest was lost.
    async fn read<R: Runtime>(runtime: &R, path: &Path, shards: u16) -> Result<Option<Self>, FolderError> {
        let file_path = path.join(MANIFEST_NAME);
        let Some(file) = open_existing(runtime, &file_path, FileKind::Meta).await? else {
            return Self::not_made(runtime, path, shards, 0, "it is missing").await;
        };
        let size = file.len().await?;
        let bytes = if size == 0 { None } else { Some(file.read_at(0, 2 * BLOCK_SIZE).await?) };
        match decode_both(bytes.as_ref().map_or(&[], Buffer::bytes)) {
            Read::Sound { id, shards, complete: second_block } => {
                // Found, but perhaps never flushed by the process that wrote it.
                file.flush().await?;
                sync_names(runtime, path).await?;
                // Nothing of the second block is written before all logs have been made.
                let begun =
                    bytes.is_some_and(|bytes| bytes.bytes().iter().skip(BLOCK_SIZE).any(|byte| *byte != 0));
                let complete = second_block || begun || were_used(runtime, path, shards).await?;
                Ok(Some(Self { path: path.to_owned(), id, shards, complete, second_block }))
            }
            Read::Newer { found } => {
                Err(FolderError::NewerVersion { file: file_path, found, known: FORMAT_VERSION })
            }
            Read::Unsound { position, what } => {
                let found = Self::not_made(runtime, path, shards, position, what).await?;
                runtime.mark("manifest-torn");
                Ok(found)
            }
        }
    }

    /// `None`, unless the manifest that does not read was durable once: shard-logs are made only then.
    async fn not_made<R: Runtime>(
        runtime: &R,
        path: &Path,
        shards: u16,
        position: u64,
        what: &'static str,
    ) -> Result<Option<Self>, FolderError> {
        if shards_with_files(runtime, path, shards).await?.is_empty() {
            return Ok(None);
        }
        Err(FolderError::Damaged { file: path.join(MANIFEST_NAME), position, what })
    }

    /// Writes the first block, or the second one of a folder that is complete.
    async fn write<R: Runtime>(&self, runtime: &R) -> Result<(), DiskError> {
        let path = self.path.join(MANIFEST_NAME);
        let file = runtime.open(&path, FileKind::Meta, OpenMode::Create).await?;
        let mut buffer = runtime.allocate(BLOCK_SIZE);
        let bytes = buffer.bytes_mut();
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.shards.to_le_bytes());
        bytes[12] = self.complete.into();
        bytes[16..24].copy_from_slice(&self.id.0.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..CHECKED_SIZE]);
        bytes[CHECKED_SIZE..CHECKED_SIZE + 4].copy_from_slice(&checksum.to_le_bytes());
        let position = if self.complete { BLOCK_SIZE as u64 } else { 0 };
        file.write_at(Rc::new(buffer), position).await?;
        file.flush().await?;
        sync_names(runtime, &self.path).await
    }
}

/// Those of the first `shards` shards in whose folders there are files.
pub(super) async fn shards_with_files<R: Runtime>(
    runtime: &R,
    path: &Path,
    shards: u16,
) -> Result<Vec<ShardId>, DiskError> {
    let mut found = Vec::new();
    for shard in (0..shards).map(ShardId) {
        if !runtime.list_folder(&shard_folder(path, shard)).await?.is_empty() {
            found.push(shard);
        }
    }
    Ok(found)
}

/// Whether one of the shard-logs holds what is made only once all of them are open. Of one that does not read the
/// start tells.
async fn were_used<R: Runtime>(runtime: &R, path: &Path, shards: u16) -> Result<bool, DiskError> {
    for shard in (0..shards).map(ShardId) {
        match ShardContents::read(runtime, shard, &shard_folder(path, shard)).await {
            Ok(contents) if contents.was_used() => return Ok(true),
            Ok(_) | Err(InspectError::NewerVersion { .. }) => {}
            Err(InspectError::Disk { source }) => return Err(source),
        }
    }
    Ok(false)
}

/// Makes the manifest's name durable, and that of its folder.
async fn sync_names<R: Runtime>(runtime: &R, path: &Path) -> Result<(), DiskError> {
    runtime.sync_folder(path).await?;
    match path.parent() {
        None => Ok(()),
        // The parent of a relative path of one part.
        Some(parent) if parent.as_os_str().is_empty() => runtime.sync_folder(Path::new(".")).await,
        Some(parent) => runtime.sync_folder(parent).await,
    }
}

/// Where and why blocks of the manifest of the data folder at `path` do not read that should: either is enough.
/// `complete`: the second one was written, which is when the folder is complete.
pub(super) async fn find_damage<R: Runtime>(
    runtime: &R,
    path: &Path,
    complete: bool,
) -> Result<Vec<(u64, &'static str)>, DiskError> {
    let file = runtime.open(&path.join(MANIFEST_NAME), FileKind::Meta, OpenMode::Existing).await?;
    let blocks = file.read_at(0, 2 * BLOCK_SIZE).await?;
    let (first, second) = blocks.bytes().split_at(blocks.bytes().len().min(BLOCK_SIZE));
    let mut damage = Vec::new();
    for (start, block) in [(0, first), (BLOCK_SIZE as u64, second)] {
        if let Read::Unsound { position, what } = decode(block)
            && (start == 0 || complete)
        {
            damage.push((start + position, what));
        }
    }
    Ok(damage)
}

/// The second block says more if it is whole. If the first one is not, it stands in for it.
fn decode_both(bytes: &[u8]) -> Read {
    let (first, second) = bytes.split_at(bytes.len().min(BLOCK_SIZE));
    match (decode(first), decode(second)) {
        (newer @ Read::Newer { .. }, _) | (_, newer @ Read::Newer { .. }) => newer,
        (_, second @ Read::Sound { .. }) => second,
        (first, Read::Unsound { .. }) => first,
    }
}

fn decode(bytes: &[u8]) -> Read {
    let Some(bytes) = bytes.first_chunk::<{ CHECKED_SIZE + 4 }>() else {
        return Read::Unsound { position: 0, what: "it is cut off" };
    };
    if bytes[0..8] != MAGIC {
        return Read::Unsound { position: 0, what: "it does not begin as a manifest" };
    }
    let checksum = crc32fast::hash(&bytes[..CHECKED_SIZE]).to_le_bytes();
    if bytes[CHECKED_SIZE..] != checksum {
        return Read::Unsound { position: CHECKED_SIZE as u64, what: "it does not have its checksum" };
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    if version > FORMAT_VERSION {
        return Read::Newer { found: version };
    }
    let shards = u16::from_le_bytes([bytes[10], bytes[11]]);
    if version != FORMAT_VERSION || shards == 0 || shards > SHARDS_MAX {
        return Read::Unsound { position: 8, what: "version or number of shards" };
    }
    let mut id = [0; 8];
    id.copy_from_slice(&bytes[16..24]);
    Read::Sound { id: FolderId(u64::from_le_bytes(id)), shards, complete: bytes[12] == 1 }
}
