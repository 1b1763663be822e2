//! A hash table that grows by splitting: a directory of small tables.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::entry::Entry;
use crate::limits::{STORE_LEAF_ENTRIES_MAX, STORE_SPLITS_MAX};

/// The hash bits that the small tables' own buckets look at first; the directory uses those below.
const TAG_BITS: u32 = 7;

/// Bytes to bytes.
///
/// The directory maps the leading bits of a key's hash (behind [`TAG_BITS`]) to a leaf; a full leaf is split
/// in two. So a change costs at most one leaf's rehash, and a position between two leaves stays one for ever,
/// which is what checkpoints walk along.
#[derive(Debug)]
pub struct StoreTable {
    hasher: FixedState,
    /// Index into `leaves` for each value of the first `depth` bits.
    directory: Vec<u32>,
    depth: u32,
    leaves: Vec<Leaf>,
    len: usize,
    heap_size: usize,
}

#[derive(Debug)]
struct Leaf {
    /// Bits that all keys of the leaf share.
    depth: u32,
    entries: HashTable<Entry>,
}

/// A position of a walk over a store, between two leaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cursor {
    /// The first hash, with the tag bits shifted out, that was not walked over.
    at: u64,
    ended: bool,
}

impl Cursor {
    /// Whether the walk is over.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }
}

impl Default for StoreTable {
    fn default() -> Self {
        Self {
            hasher: FixedState::with_seed(0x7468_616c_7765_6721),
            directory: vec![0],
            depth: 0,
            leaves: vec![Leaf { depth: 0, entries: HashTable::new() }],
            len: 0,
            heap_size: 0,
        }
    }
}

impl StoreTable {
    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory held, in bytes; without what the allocator adds.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        let leaves: usize = self.leaves.iter().map(|leaf| leaf.entries.allocation_size()).sum();
        leaves
            + self.heap_size
            + self.directory.capacity() * size_of::<u32>()
            + self.leaves.capacity() * size_of::<Leaf>()
    }

    /// The value of `key`.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let hash = self.hasher.hash_one(key);
        let leaf = &self.leaves[self.leaf_of(hash)];
        leaf.entries.find(hash, |entry| entry.key() == key).map(|entry| entry.parts().1)
    }

    /// Gives `key` a value; `None` removes it.
    #[inline]
    pub fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => self.insert(key, value),
            None => self.remove(key),
        }
    }

    /// All keys and values, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.leaves.iter().flat_map(|leaf| leaf.entries.iter().map(Entry::parts))
    }

    /// Calls `visit` for every key of the leaf at `cursor`, and moves `cursor` behind that leaf.
    ///
    /// A walk from `Cursor::default()` until [`Cursor::ended`] visits every key that was there all along
    /// exactly once, whatever changes between its steps.
    ///
    /// # Panics
    /// If the walk is over.
    pub fn walk(&self, cursor: &mut Cursor, mut visit: impl FnMut(&[u8], &[u8])) {
        assert!(!cursor.ended, "a walk that is over goes no further");
        let leaf = &self.leaves[self.leaf_at(cursor.at)];
        for entry in &leaf.entries {
            let (key, value) = entry.parts();
            visit(key, value);
        }
        // Leaves split in halves and never merge, so this end stays an end.
        let span = 1u64.checked_shl(u64::BITS - leaf.depth);
        let next = span.and_then(|span| (cursor.at & !(span - 1)).checked_add(span));
        match next {
            Some(next) => cursor.at = next,
            None => cursor.ended = true,
        }
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) {
        let hash = self.hasher.hash_one(key);
        let mut leaf = self.leaf_of(hash);
        for _ in 0..STORE_SPLITS_MAX {
            let full = self.leaves[leaf].entries.len() >= STORE_LEAF_ENTRIES_MAX;
            if !full || self.leaves[leaf].depth >= STORE_SPLITS_MAX {
                break;
            }
            // Overwriting needs no room, but a leaf that is full now will soon need it anyway.
            self.split(leaf);
            leaf = self.leaf_of(hash);
        }
        let hasher = &self.hasher;
        let entries = &mut self.leaves[leaf].entries;
        let slot = entries.entry(hash, |entry| entry.key() == key, |entry| hasher.hash_one(entry.key()));
        match slot {
            Slot::Occupied(mut slot) => {
                let entry = slot.get_mut();
                let before = entry.heap_size();
                entry.set_value(value);
                self.heap_size = self.heap_size - before + entry.heap_size();
            }
            Slot::Vacant(slot) => {
                let entry = Entry::new(key, value);
                self.heap_size += entry.heap_size();
                self.len += 1;
                slot.insert(entry);
            }
        }
    }

    fn remove(&mut self, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        let leaf = self.leaf_of(hash);
        if let Ok(slot) = self.leaves[leaf].entries.find_entry(hash, |entry| entry.key() == key) {
            let (entry, _) = slot.remove();
            self.heap_size -= entry.heap_size();
            self.len -= 1;
        }
    }

    #[inline]
    fn leaf_of(&self, hash: u64) -> usize {
        self.leaf_at(hash << TAG_BITS)
    }

    #[inline]
    fn leaf_at(&self, shifted: u64) -> usize {
        // A shift by 64 would be one too many for a directory of one.
        let index = (shifted >> 1) >> (u64::BITS - 1 - self.depth);
        self.directory[index as usize] as usize
    }

    /// Splits a leaf at its next bit.
    fn split(&mut self, leaf: usize) {
        let depth = self.leaves[leaf].depth + 1;
        if depth > self.depth {
            self.directory = self.directory.iter().flat_map(|leaf| [*leaf, *leaf]).collect();
            self.depth = depth;
        }
        let room = || HashTable::with_capacity(STORE_LEAF_ENTRIES_MAX);
        let (mut low, mut high) = (room(), room());
        let mut prefix = 0;
        let hasher = &self.hasher;
        for entry in std::mem::take(&mut self.leaves[leaf].entries) {
            let hash = hasher.hash_one(entry.key());
            let shifted = hash << TAG_BITS;
            prefix = (shifted >> 1) >> (u64::BITS - depth);
            let half = if (shifted >> (u64::BITS - depth)) & 1 == 0 { &mut low } else { &mut high };
            half.insert_unique(hash, entry, |entry| hasher.hash_one(entry.key()));
        }
        let new = self.leaves.len() as u32;
        self.leaves[leaf] = Leaf { depth, entries: low };
        self.leaves.push(Leaf { depth, entries: high });
        // Of the directory's entries for the old leaf, the upper half goes to the new one.
        let width = 1usize << (self.depth - depth);
        let begin = (2 * prefix as usize + 1) * width;
        for index in begin..begin + width {
            debug_assert_eq!(self.directory[index] as usize, leaf);
            self.directory[index] = new;
        }
    }
}
