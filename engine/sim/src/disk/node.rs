//! The content of one file: durable blocks, and what has landed since without being flushed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use thalweg_engine::limits::BLOCK_SIZE;

pub(super) type Block = Rc<[u8; BLOCK_SIZE]>;

/// Part of a write that has landed and is not durable. Blocks are numbered from the file's beginning; one
/// that a later durable write replaced is gone from here.
#[derive(Clone, Debug)]
pub(super) struct Landed {
    pub(super) order: u64,
    pub(super) blocks: BTreeMap<u64, Block>,
    /// A failed flush was to cover it: no later flush of this process does.
    pub(super) doomed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Name it was created under.
    pub(super) path: PathBuf,
    /// What reads see.
    pub(super) current: BTreeMap<u64, Block>,
    pub(super) durable: BTreeMap<u64, Block>,
    /// In the order landed.
    pub(super) volatile: Vec<Landed>,
    pub(super) size: u64,
    pub(super) durable_size: u64,
    /// Sizes set and not flushed, in order.
    pub(super) volatile_sizes: Vec<(u64, u64)>,
    /// What each write and flush takes beyond the usual.
    pub(super) lag_ns: u64,
}

impl Node {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            current: BTreeMap::new(),
            durable: BTreeMap::new(),
            volatile: Vec::new(),
            size: 0,
            durable_size: 0,
            volatile_sizes: Vec::new(),
            lag_ns: 0,
        }
    }

    /// Lets `blocks` land as the `order`th event of the disk.
    pub(super) fn land(&mut self, order: u64, blocks: BTreeMap<u64, Block>) {
        let Some((&last, _)) = blocks.last_key_value() else { return };
        self.grow(order, (last + 1) * BLOCK_SIZE as u64);
        self.current.extend(blocks.iter().map(|(&at, block)| (at, Rc::clone(block))));
        self.volatile.push(Landed { order, blocks, doomed: false });
    }

    /// Lets `blocks` land and become durable at once, and the size with them.
    pub(super) fn land_durably(&mut self, order: u64, blocks: BTreeMap<u64, Block>) {
        let Some((&last, _)) = blocks.last_key_value() else { return };
        self.grow(order, (last + 1) * BLOCK_SIZE as u64);
        for landed in &mut self.volatile {
            landed.blocks.retain(|at, _| !blocks.contains_key(at));
        }
        self.volatile.retain(|landed| !landed.blocks.is_empty());
        self.current.extend(blocks.iter().map(|(&at, block)| (at, Rc::clone(block))));
        self.durable.extend(blocks);
        self.volatile_sizes.clear();
        self.durable_size = self.size;
    }

    pub(super) fn set_size(&mut self, order: u64, size: u64) {
        self.size = size;
        self.volatile_sizes.push((order, size));
        cut(&mut self.current, size);
        for landed in &mut self.volatile {
            cut(&mut landed.blocks, size);
        }
    }

    /// Makes durable what landed up to the `covered`th event.
    pub(super) fn flush(&mut self, covered: u64) {
        for (_, size) in self.volatile_sizes.extract_if(.., |(order, _)| *order <= covered) {
            self.durable_size = size;
            cut(&mut self.durable, size);
        }
        for landed in self.volatile.extract_if(.., |landed| landed.order <= covered && !landed.doomed) {
            self.durable.extend(landed.blocks);
        }
    }

    /// The blocks that reads see follow from what is durable and what has landed since.
    pub(super) fn rebuild_current(&mut self) {
        self.current.clone_from(&self.durable);
        for landed in &self.volatile {
            self.current.extend(landed.blocks.iter().map(|(&at, block)| (at, Rc::clone(block))));
        }
        cut(&mut self.current, self.size);
    }

    /// Copies the content at `position` into `bytes`, both as reads see it.
    pub(super) fn read(&self, position: u64, bytes: &mut [u8]) {
        read_blocks(&self.current, position, bytes);
    }

    fn grow(&mut self, order: u64, end: u64) {
        if end > self.size {
            self.size = end;
            self.volatile_sizes.push((order, end));
        }
    }
}

/// Copies the blocks at `position`, zeros where there is none, into `bytes`.
pub(super) fn read_blocks(blocks: &BTreeMap<u64, Block>, position: u64, bytes: &mut [u8]) {
    bytes.fill(0);
    let end = position + bytes.len() as u64;
    for (&at, block) in blocks.range(block_range(position, end)) {
        let begins = at * BLOCK_SIZE as u64;
        let from = begins.max(position);
        let until = (begins + BLOCK_SIZE as u64).min(end);
        bytes[(from - position) as usize..(until - position) as usize]
            .copy_from_slice(&block[(from - begins) as usize..(until - begins) as usize]);
    }
}

/// Numbers of the blocks that hold bytes `from..until`.
pub(super) fn block_range(from: u64, until: u64) -> Range<u64> {
    from / BLOCK_SIZE as u64..until.div_ceil(BLOCK_SIZE as u64)
}

/// Cuts `bytes`, which lie at `position`, into blocks. Blocks of zeros share `zeros`.
pub(super) fn blocks_of(position: u64, bytes: &[u8], zeros: &Block) -> BTreeMap<u64, Block> {
    let first = position / BLOCK_SIZE as u64;
    let (whole, rest) = bytes.as_chunks::<BLOCK_SIZE>();
    assert!(rest.is_empty(), "direct writes are whole blocks");
    (first..).zip(whole).map(|(at, block)| (at, shared_block(block, zeros))).collect()
}

fn shared_block(block: &[u8; BLOCK_SIZE], zeros: &Block) -> Block {
    if *block == **zeros { Rc::clone(zeros) } else { Rc::new(*block) }
}

/// Drops what lies behind `size`: whole blocks, and the end of the block that `size` falls into.
pub(super) fn cut(blocks: &mut BTreeMap<u64, Block>, size: u64) {
    drop(blocks.split_off(&size.div_ceil(BLOCK_SIZE as u64)));
    let within = (size % BLOCK_SIZE as u64) as usize;
    if within > 0
        && let Some(block) = blocks.get_mut(&(size / BLOCK_SIZE as u64))
    {
        Rc::make_mut(block)[within..].fill(0);
    }
}
