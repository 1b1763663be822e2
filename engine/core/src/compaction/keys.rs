//! Where each key came last, in bounded memory.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::limits::COMPACTION_KEY_OVERHEAD;
use crate::model::Offset;

/// Keys, exactly, with their last offsets.
#[derive(Debug, Default)]
pub(super) struct Keys {
    last: HashMap<Box<[u8]>, Offset, FixedState>,
    size: usize,
}

impl Keys {
    /// Learns that `key` came at `offset`, behind all that were learned before.
    pub(super) fn learn(&mut self, key: &[u8], offset: Offset) {
        if let Some(last) = self.last.get_mut(key) {
            *last = offset;
            return;
        }
        self.size += key.len() + COMPACTION_KEY_OVERHEAD;
        self.last.insert(key.into(), offset);
    }

    /// Whether `key` came behind `offset`.
    pub(super) fn supersedes(&self, key: &[u8], offset: Offset) -> bool {
        self.last.get(key).is_some_and(|last| *last > offset)
    }

    /// Bytes of memory, about.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}
