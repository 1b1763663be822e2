//! Writing a checkpoint: slice by slice, beside the log's own work.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::SUPERBLOCK_NAME;
use crate::io::{Buffer, DiskError, File, FileKind, OpenMode, Runtime};
use crate::limits::{BLOCK_SIZE, CHECKPOINT_WRITE_SIZE, PAYLOAD_ALIGN};
use crate::log::CheckpointError;
use crate::log::format::{CheckpointHeader, CheckpointName, SliceHeader, SliceOwner, Superblock};
use crate::log::shared::Shared;

/// Path of one of the two checkpoint files.
pub(in crate::log) fn checkpoint_path(folder: &Path, file: u32) -> PathBuf {
    folder.join(format!("checkpoint-{file}"))
}

/// Writes a checkpoint of everything committed by now, and names it in the superblock.
pub(super) async fn write_checkpoint<R: Runtime>(shared: &Rc<Shared<R>>) -> Result<(), CheckpointError> {
    let disk = |source| CheckpointError::Disk { source };
    // Never the file that is in force: a crash while it is overwritten would leave none.
    let number = shared.checkpoint_name().map_or(0, |name| 1 - name.file);
    let path = checkpoint_path(&shared.folder, number);
    let file = shared.runtime.open(&path, FileKind::Meta, OpenMode::Create).await.map_err(disk)?;
    if let Err(source) = shared.runtime.sync_folder(&shared.folder).await {
        // No second attempt: one that succeeds need not cover what this one was to make durable.
        shared.fail(&format!("flush of {:?} failed: {source}", shared.folder));
        return Err(CheckpointError::Disk { source });
    }

    // As of one frame: nothing is awaited until all of them have been told to begin.
    let replay = shared.last();
    let mut snapshot = shared.index.borrow().snapshot();
    shared.state.borrow_mut().begin_checkpoint();
    shared.tail.borrow_mut().checkpoint.begin();
    shared.runtime.mark("checkpoint-begun");

    let counter = shared.superblock.borrow().newest().counter + 1;
    let header = CheckpointHeader { log: shared.log, counter, sequence: replay.sequence };
    let mut output =
        Output { shared, file: &file, pending: Vec::new(), position: 0, hasher: crc32fast::Hasher::new() };
    output.put(&header.bytes());
    let mut slice = Vec::new();
    for owner in [SliceOwner::Log, SliceOwner::State] {
        loop {
            slice.clear();
            let more = match owner {
                SliceOwner::Log => snapshot.next_slice(&shared.index.borrow(), &mut slice),
                SliceOwner::State => shared.state.borrow_mut().next_slice(&mut slice),
            };
            if !more {
                break;
            }
            output.put_slice(&slice, owner);
            output.write_whole_chunks().await.map_err(disk)?;
            shared.runtime.mark("checkpoint-slice");
            shared.runtime.yield_now().await;
            if shared.is_closed() {
                return Err(CheckpointError::Closed);
            }
        }
    }
    let (size, checksum) = output.finish().await.map_err(disk)?;
    if let Err(source) = file.flush().await {
        shared.fail(&format!("flush of {path:?} failed: {source}"));
        return Err(CheckpointError::Disk { source });
    }
    name_checkpoint(shared, CheckpointName { file: number, size, checksum }, replay).await
}

/// Puts a durable checkpoint in force.
async fn name_checkpoint<R: Runtime>(
    shared: &Rc<Shared<R>>,
    name: CheckpointName,
    replay: crate::log::format::ReplayStart,
) -> Result<(), CheckpointError> {
    let written = write_superblock(shared, |superblock| {
        superblock.checkpoint = Some(name);
        superblock.replay = replay;
    });
    if let Err(source) = written.await {
        shared.fail(&format!("{SUPERBLOCK_NAME} could not be written: {source}"));
        return Err(CheckpointError::Disk { source });
    }
    shared.tail.borrow_mut().checkpoint_made(name.size);
    shared.runtime.mark("checkpoint-named");
    Ok(())
}

/// Makes the superblock durable as `change` has it; it then knows all that is committed now. Only one task at a
/// time may call this.
pub(in crate::log) async fn write_superblock<R: Runtime>(
    shared: &Shared<R>,
    change: impl FnOnce(&mut Superblock),
) -> Result<(), DiskError> {
    let durable_up_to = shared.last().sequence;
    let next = shared.superblock.borrow().next(|superblock| {
        change(superblock);
        superblock.durable_up_to = durable_up_to;
    });
    let write = shared.superblock.borrow().write(&shared.runtime, &next);
    write.await?;
    shared.superblock.borrow_mut().written(next);
    Ok(())
}

/// The file being written.
struct Output<'a, R: Runtime> {
    shared: &'a Rc<Shared<R>>,
    file: &'a R::File,
    /// Bytes not yet written.
    pending: Vec<u8>,
    /// Where they go.
    position: u64,
    hasher: crc32fast::Hasher,
}

impl<R: Runtime> Output<'_, R> {
    fn put(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.pending.extend_from_slice(bytes);
    }

    fn put_slice(&mut self, slice: &[u8], owner: SliceOwner) {
        let header = SliceHeader::of(slice, owner);
        self.put(&header.bytes());
        self.put(slice);
        self.put(&[0; PAYLOAD_ALIGN][..header.padded_size() - slice.len()]);
    }

    async fn write_whole_chunks(&mut self) -> Result<(), DiskError> {
        while self.pending.len() >= CHECKPOINT_WRITE_SIZE {
            self.write(CHECKPOINT_WRITE_SIZE).await?;
        }
        Ok(())
    }

    /// Writes the rest; returns size and checksum of the whole.
    async fn finish(mut self) -> Result<(u64, u32), DiskError> {
        self.write_whole_chunks().await?;
        let size = self.position + self.pending.len() as u64;
        if !self.pending.is_empty() {
            self.write(self.pending.len()).await?;
        }
        Ok((size, self.hasher.finalize()))
    }

    async fn write(&mut self, size: usize) -> Result<(), DiskError> {
        let mut buffer = self.shared.runtime.allocate(size.next_multiple_of(BLOCK_SIZE));
        buffer.bytes_mut()[..size].copy_from_slice(&self.pending[..size]);
        self.pending.drain(..size);
        self.file.write_at(Rc::new(buffer), self.position).await?;
        self.position += size as u64;
        Ok(())
    }
}
