//! The data folder: what says that a folder is one, and where everything in it lies.

mod inspect;
mod layout;
mod manifest;

pub use inspect::{
    FolderCheck, FolderFormat, FolderInspectError, FolderView, ShardCheck, ShardView, folder_format,
    inspect_folder, verify_folder,
};
pub use layout::{LOCK_NAME, shard_folder};
pub use manifest::{FORMAT_VERSION, Folder, FolderError, MANIFEST_NAME};

pub use crate::model::FolderId;
