//! What is known of the device that holds a data folder.

use std::path::Path;

use thalweg_engine::folder::FolderError;
use thalweg_engine::log::FlushMethod;

use crate::GlommioRuntime;

/// The device that holds a data folder.
#[derive(Clone, Debug)]
pub struct Device {
    /// The device and its file system, for people.
    pub name: String,
    /// The faster way to make writes durable, as measured.
    pub flush: FlushMethod,
    /// What an operator should know about it, a sentence each.
    pub notes: Vec<String>,
}

pub(super) async fn learn(_: &GlommioRuntime, path: &Path, _probe: bool) -> Result<Device, FolderError> {
    Ok(Device { name: path.display().to_string(), flush: FlushMethod::Flush, notes: Vec::new() })
}
