//! The data folder: what says that a folder is one, and where everything in it lies.

mod layout;
mod manifest;

pub use layout::{LOCK_NAME, shard_folder};
pub use manifest::{Folder, FolderError, MANIFEST_NAME};

pub use crate::model::FolderId;
