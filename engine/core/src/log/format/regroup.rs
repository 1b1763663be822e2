//! What moves batches into a store segment: the payload of a [`Regrouped`](super::EntryKind::Regrouped) entry.

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::{Kind, deserialize, view};

use super::FrameError;

/// A segment that batches were taken from.
#[derive(Archive, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct StoreSourceV1 {
    /// The segment.
    pub segment: u32,
    /// Its life: it may have died and be used again.
    pub generation: u64,
}

/// Batches of one stream that follow each other in a store segment.
#[derive(Archive, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct StorePartV1 {
    /// The stream.
    pub stream: u64,
    /// First offset.
    pub base: u64,
    /// Offset behind the last.
    pub end: u64,
    /// Bytes of the batches.
    pub bytes: u64,
    /// Their largest timestamp.
    pub timestamp_max: i64,
}

/// What of a stream stays in a segment that the rest of it was moved out of.
#[derive(Archive, Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct StoreRestV1 {
    /// The stream.
    pub stream: u64,
    /// The segment.
    pub segment: u32,
    /// First offset that stays.
    pub base: u64,
    /// Bytes of the batches that stay.
    pub bytes: u64,
    /// Their largest timestamp.
    pub timestamp_max: i64,
}

/// A store segment, whole and durable, and what it takes over from others.
///
/// Of every stream of `parts`, what `sources` held is found in the store segment from now on, except for what `rests`
/// names; what neither names was not live any more.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct RegroupV1 {
    /// The store segment.
    pub segment: u32,
    /// Its life.
    pub generation: u64,
    /// Store frames in it.
    pub frames: u64,
    /// Where they end.
    pub end: u32,
    /// Segments that batches were taken from.
    pub sources: Vec<StoreSourceV1>,
    /// What was taken, by stream and offset.
    pub parts: Vec<StorePartV1>,
    /// What was not, by stream and offset.
    pub rests: Vec<StoreRestV1>,
}

impl Kind for RegroupV1 {
    const TYPE: u16 = 6;
    const VERSION: u16 = 1;
}

/// Bytes of the archive with that many sources, parts and rests: no more than this.
#[must_use]
pub const fn regroup_size_max(sources: usize, parts: usize, rests: usize) -> usize {
    128 + sources * size_of::<StoreSourceV1>()
        + parts * size_of::<StorePartV1>()
        + rests * size_of::<StoreRestV1>()
}

/// Reads the payload of a [`Regrouped`](super::EntryKind::Regrouped) entry.
///
/// # Errors
/// [`FrameError::NewerVersion`], or [`FrameError::Directory`] if it is no such archive.
pub fn read_regroup(payload: &[u8]) -> Result<RegroupV1, FrameError> {
    view::<RegroupV1>(payload).map(deserialize).map_err(FrameError::from)
}
