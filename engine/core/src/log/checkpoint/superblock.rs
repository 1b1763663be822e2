//! The superblock file of an open log.

use std::rc::Rc;

use crate::io::{Buffer, DiskError, File, Runtime};
use crate::limits::BLOCK_SIZE;
use crate::log::format::Superblock;
use crate::model::Sequence;

/// Name of the superblock file.
pub(in crate::log) const SUPERBLOCK_NAME: &str = "superblock";

/// The superblock file and what its two blocks say.
pub(in crate::log) struct SuperblockFile<R: Runtime> {
    file: R::File,
    newest: Superblock,
    older: Option<Superblock>,
}

impl<R: Runtime> SuperblockFile<R> {
    pub(in crate::log) fn new(file: R::File, newest: Superblock, older: Option<Superblock>) -> Self {
        Self { file, newest, older }
    }

    /// The block in force.
    pub(in crate::log) fn newest(&self) -> &Superblock {
        &self.newest
    }

    /// Up to where every checkpoint reaches that either block names.
    ///
    /// If the newer block is lost, the older one is in force: what it needs may not be used again.
    pub(in crate::log) fn covered(&self) -> Sequence {
        let older = self.older.map_or(Sequence(0), |older| older.replay.sequence);
        self.newest.replay.sequence.min(older)
    }

    /// The block to be written next, as `change` has it.
    pub(in crate::log) fn next(&self, change: impl FnOnce(&mut Superblock)) -> Superblock {
        let mut next = self.newest;
        change(&mut next);
        next.counter = self.newest.counter + 1;
        next
    }

    /// Writes `next`, which [`SuperblockFile::next`] made, over the older block, and flushes it. On success
    /// the caller hands it to [`SuperblockFile::written`].
    pub(in crate::log) fn write(
        &self,
        runtime: &R,
        next: &Superblock,
    ) -> impl Future<Output = Result<(), DiskError>> + 'static + use<R> {
        assert_ne!(next.position(), self.newest.position(), "the block in force is never overwritten");
        let mut block = runtime.allocate(BLOCK_SIZE);
        next.encode(block.bytes_mut());
        let (file, position) = (self.file.clone(), next.position());
        async move {
            file.write_at(Rc::new(block), position).await?;
            file.flush().await
        }
    }

    /// `next` is durable.
    pub(in crate::log) fn written(&mut self, next: Superblock) {
        self.older = Some(self.newest);
        self.newest = next;
    }
}
