//! What a test may see and break: content, names, bits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::limits::BLOCK_SIZE;

use super::names::Names;
use super::node::{Block, Node, read_blocks};
use super::submit::{Disk, NodeId};

/// One bit of stored data that was flipped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BitFlip {
    /// The file.
    pub path: PathBuf,
    /// Byte in the file.
    pub position: u64,
    /// Bit in the byte, 0 to 7.
    pub bit: u8,
}

/// Everything stored at one moment: see [`World::save_disk`](crate::World::save_disk).
#[derive(Clone, Debug)]
pub struct SavedDisk {
    nodes: BTreeMap<NodeId, Node>,
    names: Names,
    durable_names: Names,
}

/// Draws for a block that is not all zeros before any block is taken.
const FLIP_DRAWS_MAX: usize = 8;

impl Disk {
    /// Everything stored now, durable or not.
    pub(crate) fn save(&self) -> SavedDisk {
        assert!(self.in_flight.is_empty(), "no process runs");
        let (nodes, names, durable_names) =
            (self.nodes.clone(), self.names.clone(), self.durable_names.clone());
        SavedDisk { nodes, names, durable_names }
    }

    /// Forgets what was stored since.
    pub(crate) fn restore(&mut self, saved: SavedDisk) {
        assert!(self.in_flight.is_empty(), "no process runs");
        (self.nodes, self.names, self.durable_names) = (saved.nodes, saved.names, saved.durable_names);
    }

    /// Paths of all files, sorted.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.names.files.keys().cloned().collect()
    }

    /// The whole of a file as reads see it, or as a power loss that keeps nothing would leave it.
    pub(crate) fn content(&self, path: &Path, durable: bool) -> Option<Vec<u8>> {
        let names = if durable { &self.durable_names } else { &self.names };
        let node = &self.nodes[names.files.get(path)?];
        let (size, blocks) =
            if durable { (node.durable_size, &node.durable) } else { (node.size, &node.current) };
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        read_blocks(blocks, 0, &mut bytes);
        Some(bytes)
    }

    /// Sizes of all files together. Bytes.
    pub(crate) fn used(&self) -> u64 {
        self.names.files.values().map(|node| self.nodes[node].size).sum()
    }

    /// Makes a folder that is durable at once.
    pub(crate) fn add_folder(&mut self, path: &Path) {
        self.names.folders.insert(path.to_owned());
        self.durable_names.folders.insert(path.to_owned());
    }

    /// Changes stored bytes, durable and seen by reads; nothing is recorded.
    ///
    /// # Panics
    /// If the file does not exist.
    pub(crate) fn overwrite(&mut self, path: &Path, position: u64, bytes: &[u8]) {
        for (at, &byte) in (position..).zip(bytes) {
            self.change(path, at, |old| *old = byte);
        }
    }

    /// Flips and records one bit.
    pub(crate) fn flip(&mut self, flip: BitFlip) {
        assert!(flip.bit < 8, "a byte has eight bits");
        let mask = 1 << flip.bit;
        self.change(&flip.path, flip.position, |byte| *byte ^= mask);
        self.recorder.count("disk.bit_flipped");
        self.flips.push(flip);
    }

    pub(super) fn flip_by_chance(&mut self) {
        if !self.prng.chance(self.faults.bit_flip) {
            return;
        }
        let written = |path: &&PathBuf| !self.nodes[&self.names.files[*path]].durable.is_empty();
        let candidates: Vec<&PathBuf> = self.names.files.keys().filter(written).collect();
        if candidates.is_empty() {
            return;
        }
        let path = (*self.prng.pick(&candidates)).clone();
        let durable = &self.nodes[&self.names.files[&path]].durable;
        let mut block = 0;
        for _ in 0..FLIP_DRAWS_MAX {
            let drawn = durable.iter().nth(self.prng.index(durable.len()));
            let (&at, content) = drawn.expect("the index lies within the map");
            block = at;
            if !Rc::ptr_eq(content, &self.zeros) {
                break;
            }
        }
        let position = block * BLOCK_SIZE as u64 + self.prng.below(BLOCK_SIZE as u64);
        let bit = self.prng.below(8) as u8;
        self.flip(BitFlip { path, position, bit });
    }

    fn change(&mut self, path: &Path, position: u64, change: impl Fn(&mut u8)) {
        let zeros = Rc::clone(&self.zeros);
        let id = *self.names.files.get(path).unwrap_or_else(|| panic!("{path:?} does not exist"));
        let Node { current, durable, .. } = self.node_mut(id);
        let (at, within) = (position / BLOCK_SIZE as u64, (position % BLOCK_SIZE as u64) as usize);
        let same =
            current.get(&at).is_none_or(|block| durable.get(&at).is_some_and(|old| Rc::ptr_eq(old, block)));
        let changed = |block: &mut Block| change(&mut Rc::make_mut(block)[within]);
        changed(durable.entry(at).or_insert_with(|| Rc::clone(&zeros)));
        if same {
            current.insert(at, Rc::clone(&durable[&at]));
        } else {
            changed(current.entry(at).or_insert(zeros));
        }
    }
}
