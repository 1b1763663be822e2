//! A disk whose every choice is somebody else's: what it holds, what of it is durable, what a crash may leave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::limits::BLOCK_SIZE;

use super::blocks::{BlockId, Blocks};
use super::fingerprint::Fingerprint;

/// Number of a file, in the order made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct FileId(pub(super) usize);

/// A block that has landed and is not durable.
#[derive(Clone, Copy, Debug)]
struct Landed {
    order: u64,
    at: usize,
    content: BlockId,
}

#[derive(Clone, Debug, Default)]
struct DiskFile {
    /// What reads see.
    current: Vec<BlockId>,
    durable: Vec<BlockId>,
    /// In the order landed.
    volatile: Vec<Landed>,
}

/// What is asked of the disk and takes time.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Writes `contents` from block `at` on; durable when it completes if it goes `through`.
    Write { file: FileId, at: usize, contents: Vec<BlockId>, through: bool },
    /// Makes durable what had landed up to the `covered`th event of the disk.
    Flush { file: FileId, covered: u64 },
}

impl Operation {
    /// Tells it from others in flight.
    pub(super) fn place(&self) -> u64 {
        match self {
            Self::Write { file, at, .. } => (file.0 as u64) << 32 | *at as u64,
            Self::Flush { file, .. } => 1 << 63 | file.0 as u64,
        }
    }
}

/// What ends a life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Crash {
    /// The process is gone. What had landed stays, not yet durable; of what was in flight, any blocks land.
    Kill,
    /// Power is gone: any of the blocks that were not durable stay, and no others.
    Power,
}

/// One block, and what a crash may leave in it; first what is there if nothing landed.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) file: FileId,
    pub(super) at: usize,
    /// Each with what it is called.
    pub(super) contents: Vec<(BlockId, &'static str)>,
}

/// The files of one machine. Names and sizes are durable at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    names: Rc<BTreeMap<PathBuf, FileId>>,
    files: Vec<DiskFile>,
    /// Events so far.
    order: u64,
}

impl Disk {
    pub(super) fn find(&self, path: &Path) -> Option<FileId> {
        self.names.get(path).copied()
    }

    pub(super) fn create(&mut self, path: &Path) -> FileId {
        let id = FileId(self.files.len());
        self.files.push(DiskFile::default());
        Rc::make_mut(&mut self.names).insert(path.to_owned(), id);
        id
    }

    pub(super) fn remove(&mut self, path: &Path) -> bool {
        Rc::make_mut(&mut self.names).remove(path).is_some()
    }

    /// Names of the files in `folder`, sorted.
    pub(super) fn list(&self, folder: &Path) -> Vec<String> {
        let files = self.names.keys().filter(|path| path.parent() == Some(folder));
        files.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
    }

    pub(super) fn name_of(&self, file: FileId) -> String {
        let path = self.names.iter().find(|(_, id)| **id == file).map(|(path, _)| path);
        path.and_then(|path| path.file_name())
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Bytes of a file.
    pub(super) fn size(&self, file: FileId) -> u64 {
        (self.files[file.0].current.len() * BLOCK_SIZE) as u64
    }

    pub(super) fn set_size(&mut self, file: FileId, size: u64) {
        let blocks = (size as usize).div_ceil(BLOCK_SIZE);
        let file = &mut self.files[file.0];
        file.current.resize(blocks, BlockId::default());
        file.durable.resize(blocks, BlockId::default());
        file.volatile.retain(|landed| landed.at < blocks);
    }

    /// Number of the latest event: what a flush issued now covers.
    pub(super) fn order(&self) -> u64 {
        self.order
    }

    /// Copies blocks from `at` on, as many as there are.
    pub(super) fn read(&self, blocks: &Blocks, file: FileId, at: usize, bytes: &mut [u8]) -> usize {
        let there = self.files[file.0].current.get(at..).unwrap_or_default();
        let mut copied = 0;
        for (block, out) in there.iter().zip(bytes.chunks_exact_mut(BLOCK_SIZE)) {
            out.copy_from_slice(blocks.content(*block));
            copied += BLOCK_SIZE;
        }
        copied
    }

    /// Carries an operation to its end.
    pub(super) fn complete(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { file, at, contents, through } => {
                self.order += 1;
                for (at, content) in (*at..).zip(contents) {
                    self.land(*file, at, *content, *through);
                }
            }
            Operation::Flush { file, covered } => {
                let file = &mut self.files[file.0];
                for landed in file.volatile.extract_if(.., |landed| landed.order <= *covered) {
                    file.durable[landed.at] = landed.content;
                }
            }
        }
    }

    fn land(&mut self, file: FileId, at: usize, content: BlockId, through: bool) {
        let order = self.order;
        let file = &mut self.files[file.0];
        if file.current.len() <= at {
            file.current.resize(at + 1, BlockId::default());
            file.durable.resize(at + 1, BlockId::default());
        }
        file.current[at] = content;
        if through {
            file.volatile.retain(|landed| landed.at != at);
            file.durable[at] = content;
        } else {
            file.volatile.push(Landed { order, at, content });
        }
    }

    /// The blocks in which a crash may leave one thing or another, with what `in_flight` would write. `tears`: also a
    /// mixture of both.
    pub(super) fn undecided(
        &self,
        crash: Crash,
        in_flight: &[&Operation],
        tears: bool,
        blocks: &mut Blocks,
    ) -> Vec<Slot> {
        let mut slots: BTreeMap<(FileId, usize), Vec<(BlockId, &'static str)>> = BTreeMap::new();
        let mut add = |file: FileId, at: usize, content: BlockId| {
            let of = &self.files[file.0];
            let base = if crash == Crash::Kill { &of.current } else { &of.durable };
            let base = base.get(at).copied().unwrap_or_default();
            let contents = slots.entry((file, at)).or_insert_with(|| vec![(base, "as before")]);
            let torn = if tears { blocks.torn(content, base) } else { [content; 2] };
            let names = ["new", "new in its first sector alone", "new but for its first sector"];
            for (content, name) in [content, torn[0], torn[1]].into_iter().zip(names) {
                if !contents.iter().any(|(known, _)| *known == content) {
                    contents.push((content, name));
                }
            }
        };
        if crash == Crash::Power {
            for (number, file) in self.files.iter().enumerate() {
                for landed in &file.volatile {
                    add(FileId(number), landed.at, landed.content);
                }
            }
        }
        for operation in in_flight {
            if let Operation::Write { file, at, contents, .. } = operation {
                for (at, content) in (*at..).zip(contents) {
                    add(*file, at, *content);
                }
            }
        }
        let undecided = slots.into_iter().filter(|(_, contents)| contents.len() > 1);
        undecided.map(|((file, at), contents)| Slot { file, at, contents }).collect()
    }

    /// Everything that has landed becomes durable, as it does in time.
    pub(super) fn make_durable(&mut self) {
        for file in &mut self.files {
            file.durable.clone_from(&file.current);
            file.volatile.clear();
        }
    }

    /// The disk after a crash that left in each of `slots` the content chosen for it.
    pub(super) fn after(&self, crash: Crash, slots: &[Slot], chosen: &[usize]) -> Self {
        let mut disk = self.clone();
        if crash == Crash::Power {
            for file in &mut disk.files {
                file.volatile.clear();
                file.current.clone_from(&file.durable);
            }
        }
        disk.order += 1;
        for (slot, chosen) in slots.iter().zip(chosen) {
            if *chosen > 0 {
                disk.land(slot.file, slot.at, slot.contents[*chosen].0, crash == Crash::Power);
            }
        }
        disk
    }

    /// Adds everything that can make a difference to what follows: contents, and of what is not durable which flush
    /// in flight covers it.
    pub(super) fn add_to(&self, fingerprint: &mut Fingerprint, in_flight: &[&Operation]) {
        for (number, file) in self.files.iter().enumerate() {
            fingerprint.add_all(file.current.iter().map(|block| u64::from(block.0)));
            let changed = file.durable.iter().enumerate().filter(|(at, block)| file.current[*at] != **block);
            fingerprint.add_all(changed.map(|(at, block)| (at as u64) << 32 | u64::from(block.0)));
            let covered = |landed: &Landed| {
                let covers = |operation: &&&Operation| match operation {
                    Operation::Flush { file, covered } => file.0 == number && *covered >= landed.order,
                    Operation::Write { .. } => false,
                };
                in_flight.iter().filter(covers).count() as u64
            };
            fingerprint.add_all(file.volatile.iter().flat_map(|landed| {
                [(landed.at as u64) << 32 | u64::from(landed.content.0), covered(landed)]
            }));
        }
        for operation in in_flight {
            match operation {
                Operation::Write { file, at, contents, through } => {
                    fingerprint.add((file.0 as u64) << 33 | (*at as u64) << 1 | u64::from(*through));
                    fingerprint.add_all(contents.iter().map(|block| u64::from(block.0)));
                }
                Operation::Flush { file, .. } => fingerprint.add(1 << 63 | file.0 as u64),
            }
        }
        fingerprint.add(in_flight.len() as u64);
    }
}
