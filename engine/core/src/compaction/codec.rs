//! What compaction has to know of batches that are not native ones.

use std::fmt;

use crate::model::Offset;

/// A record of a foreign batch, as compaction sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ForeignRecord<'a> {
    /// Its offset.
    pub offset: Offset,
    /// Its key, or none at all.
    pub key: Option<&'a [u8]>,
    /// Whether it says that its key is no more.
    pub is_tombstone: bool,
}

/// A foreign batch without some of its records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rewritten {
    /// The batch.
    pub bytes: Vec<u8>,
    /// Records in it; not 0.
    pub count: u32,
    /// Largest timestamp of these. Milliseconds since 1970.
    pub timestamp_max: i64,
    /// CRC-32C of the bytes behind the first `checksum_from`, if the batch carries it; otherwise it is given another one.
    pub checksum: Option<u32>,
    /// Leading bytes that the checksum does not cover.
    pub checksum_from: u16,
}

/// Looks into foreign batches, for compaction: the engine itself knows no protocol.
pub trait BatchCodec: fmt::Debug + Sync {
    /// Calls `visit` for every record of the batch, in order; `base` is the offset of the batch. `false` if it does not read:
    /// then it stays as it is.
    fn visit(
        &self,
        encoding: u8,
        base: Offset,
        bytes: &[u8],
        visit: &mut dyn FnMut(ForeignRecord<'_>),
    ) -> bool;

    /// The batch with those of its records, at least one, whose offsets `keeps`: each with the offset it had. `None` if that cannot
    /// be made: then the batch stays as it is.
    fn rewrite(
        &self,
        encoding: u8,
        base: Offset,
        bytes: &[u8],
        keeps: &dyn Fn(Offset) -> bool,
    ) -> Option<Rewritten>;
}

/// Who looks into foreign batches; by default nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForeignBatches(pub Option<&'static dyn BatchCodec>);

impl PartialEq for ForeignBatches {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Some(this), Some(other)) => std::ptr::addr_eq(this, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for ForeignBatches {}
