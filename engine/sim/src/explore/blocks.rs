//! Every content that a block ever had, once.

use std::collections::BTreeMap;
use std::rc::Rc;

use thalweg_engine::limits::BLOCK_SIZE;

/// Unit in which a device may tear a block. Bytes.
const SECTOR_SIZE: usize = 512;

type Content = Rc<[u8; BLOCK_SIZE]>;

/// A content of a block. Equal contents have equal numbers, and zeros have 0.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct BlockId(pub(super) u32);

/// The contents by number.
pub(super) struct Blocks {
    ids: BTreeMap<Content, BlockId>,
    contents: Vec<Content>,
    torn: BTreeMap<(BlockId, BlockId), [BlockId; 2]>,
}

impl Blocks {
    pub(super) fn new() -> Self {
        let mut blocks = Self { ids: BTreeMap::new(), contents: Vec::new(), torn: BTreeMap::new() };
        assert_eq!(blocks.id_of(&[0; BLOCK_SIZE]), BlockId::default());
        blocks
    }

    pub(super) fn id_of(&mut self, content: &[u8; BLOCK_SIZE]) -> BlockId {
        if let Some(&id) = self.ids.get(content) {
            return id;
        }
        let id = BlockId(self.contents.len() as u32);
        let content = Rc::new(*content);
        self.contents.push(Rc::clone(&content));
        self.ids.insert(content, id);
        id
    }

    /// The contents of whole blocks.
    pub(super) fn ids_of(&mut self, bytes: &[u8]) -> Vec<BlockId> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK_SIZE>();
        assert!(rest.is_empty(), "direct writes are whole blocks");
        blocks.iter().map(|block| self.id_of(block)).collect()
    }

    pub(super) fn content(&self, id: BlockId) -> &[u8; BLOCK_SIZE] {
        &self.contents[id.0 as usize]
    }

    /// `old` of which only the first sector was written over with `new`, and `old` of which it alone was not.
    pub(super) fn torn(&mut self, new: BlockId, old: BlockId) -> [BlockId; 2] {
        if let Some(&known) = self.torn.get(&(new, old)) {
            return known;
        }
        let mut torn = [*self.content(old), *self.content(new)];
        torn[0][..SECTOR_SIZE].copy_from_slice(&self.content(new)[..SECTOR_SIZE]);
        torn[1][..SECTOR_SIZE].copy_from_slice(&self.content(old)[..SECTOR_SIZE]);
        let ids = torn.map(|content| self.id_of(&content));
        self.torn.insert((new, old), ids);
        ids
    }
}
