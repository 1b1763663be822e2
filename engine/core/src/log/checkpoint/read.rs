//! Reading a checkpoint at a start.

use std::path::PathBuf;

use super::checkpoint_path;
use crate::io::{Buffer, DiskError, File, FileKind, Runtime, open_existing};
use crate::limits::{BLOCK_SIZE, CHECKPOINT_WRITE_SIZE};
use crate::log::format::{
    CHECKPOINT_HEADER_SIZE, CheckpointHeader, FrameError, SLICE_HEADER_SIZE, SliceHeader, SliceOwner,
    Superblock,
};
use crate::log::index::Index;
use crate::log::{OpenError, RestoreError, StateMachine};
use crate::model::Sequence;

/// Restores `state` from the checkpoint that `superblock` names, and returns the index; as of the beginning of the log
/// if it names none.
pub(in crate::log) async fn read_checkpoint<R: Runtime>(
    runtime: &R,
    folder: &std::path::Path,
    superblock: &Superblock,
    state: &std::cell::RefCell<impl StateMachine>,
) -> Result<Index, OpenError> {
    let Some(name) = superblock.checkpoint else {
        return Ok(Index::new(superblock.replay.segment, superblock.replay.generation));
    };
    let path = checkpoint_path(folder, name.file);
    let damaged = |position, what: &str| damaged(&path, position, what);
    let Some(file) = open_existing(runtime, &path, FileKind::Meta).await? else {
        return Err(damaged(0, "the checkpoint in force is missing"));
    };
    file.flush().await?;
    let mut input: Input<'_, R> = Input {
        file: &file,
        size: name.size,
        position: 0,
        consumed: 0,
        bytes: Vec::new(),
        crc: crc32fast::Hasher::new(),
    };
    input.fill(CHECKPOINT_HEADER_SIZE).await?;
    let header = match CheckpointHeader::decode(&input.bytes, superblock.log) {
        Ok(header) => header,
        Err(FrameError::NewerVersion { found, known }) => {
            return Err(OpenError::NewerVersion { file: path, found, known });
        }
        Err(error) => return Err(damaged(0, &format!("the checkpoint in force does not read: {error}"))),
    };
    // A later superblock may name the same checkpoint again.
    if header.sequence != superblock.replay.sequence || header.counter > superblock.counter {
        return Err(damaged(0, "the file is not the checkpoint that the superblock names"));
    }
    input.consume(CHECKPOINT_HEADER_SIZE);
    let mut index = Index::default();
    while input.offset() < name.size {
        restore_slice(&mut input, &path, &mut index, state).await?;
    }
    if input.crc.finalize() != name.checksum {
        return Err(damaged(0, "the checkpoint in force does not have its checksum"));
    }
    Ok(index)
}

async fn restore_slice<R: Runtime>(
    input: &mut Input<'_, R>,
    path: &std::path::Path,
    index: &mut Index,
    state: &std::cell::RefCell<impl StateMachine>,
) -> Result<(), OpenError> {
    let at = input.offset();
    input.fill(SLICE_HEADER_SIZE).await?;
    let header = input.bytes.first_chunk().and_then(SliceHeader::decode);
    let Some(header) = header else {
        return Err(damaged(path, at, "the header of a slice does not read"));
    };
    input.consume(SLICE_HEADER_SIZE);
    input.fill(header.padded_size()).await?;
    let Some(slice) = input.bytes.get(..header.size as usize) else {
        return Err(damaged(path, at, "a slice is cut off"));
    };
    if !header.is_of(slice) {
        return Err(damaged(path, at, "a slice does not have its checksum"));
    }
    let restored = match header.owner {
        SliceOwner::Log => index.restore(slice),
        SliceOwner::State => state.borrow_mut().restore_slice(slice),
    };
    restored.map_err(|source: RestoreError| OpenError::Restore {
        file: path.to_owned(),
        position: at,
        source,
    })?;
    input.consume(header.padded_size());
    Ok(())
}

fn damaged(path: &std::path::Path, position: u64, what: &str) -> OpenError {
    let file: PathBuf = path.to_owned();
    OpenError::Damaged { file, position, sequence: Sequence(0), what: what.to_owned() }
}

/// The file being read, some of it ahead.
struct Input<'a, R: Runtime> {
    file: &'a R::File,
    /// Bytes of the file that count.
    size: u64,
    /// Where the next read begins.
    position: u64,
    /// Bytes taken by the reader.
    consumed: u64,
    /// Bytes read and not yet taken.
    bytes: Vec<u8>,
    crc: crc32fast::Hasher,
}

impl<R: Runtime> Input<'_, R> {
    /// Where the reader is.
    fn offset(&self) -> u64 {
        self.consumed
    }

    /// Reads until `size` bytes are there, or the file has ended.
    async fn fill(&mut self, size: usize) -> Result<(), DiskError> {
        while self.bytes.len() < size && self.position < self.size {
            let rest = usize::try_from(self.size - self.position).unwrap_or(usize::MAX);
            let wanted = CHECKPOINT_WRITE_SIZE.min(rest);
            let block = self.file.read_at(self.position, wanted.next_multiple_of(BLOCK_SIZE)).await?;
            let read = block.bytes().len().min(wanted);
            self.bytes.extend_from_slice(&block.bytes()[..read]);
            self.position += read as u64;
            if read < wanted {
                // The file is shorter than its name says.
                self.size = self.position;
            }
        }
        Ok(())
    }

    fn consume(&mut self, size: usize) {
        let size = size.min(self.bytes.len());
        self.crc.update(&self.bytes[..size]);
        self.bytes.drain(..size);
        self.consumed += size as u64;
    }
}
