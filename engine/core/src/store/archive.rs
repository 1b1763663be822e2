//! Rows of a store in a checkpoint. Source: FORMAT.md, "Checkpoint slices".

use rkyv::{Archive, Deserialize, Serialize};
use thalweg_archive::Kind;

/// Some keys of one store with their values, version 1.
///
/// Row `i` takes `key_sizes[i]` and then `value_sizes[i]` bytes of `bytes`.
#[derive(Archive, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoreRowsV1 {
    /// The store.
    pub store: u64,
    /// Bytes of each key.
    pub key_sizes: Vec<u32>,
    /// Bytes of each value.
    pub value_sizes: Vec<u32>,
    /// Keys and values, one behind the other.
    pub bytes: Vec<u8>,
}

impl Kind for StoreRowsV1 {
    const TYPE: u16 = 34;
    const VERSION: u16 = 1;
}

impl StoreRowsV1 {
    /// Adds a row.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        // Below the limit of a record, so neither cast cuts anything off.
        self.key_sizes.push(key.len() as u32);
        self.value_sizes.push(value.len() as u32);
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }
}

impl ArchivedStoreRowsV1 {
    /// Calls `visit` for every row; `false` if the sizes contradict the bytes (some rows were visited then).
    pub fn visit(&self, mut visit: impl FnMut(&[u8], &[u8])) -> bool {
        let mut rest = self.bytes.as_slice();
        if self.key_sizes.len() != self.value_sizes.len() {
            return false;
        }
        for (key_size, value_size) in self.key_sizes.iter().zip(self.value_sizes.iter()) {
            let Some((key, behind)) = rest.split_at_checked(key_size.to_native() as usize) else {
                return false;
            };
            let Some((value, behind)) = behind.split_at_checked(value_size.to_native() as usize) else {
                return false;
            };
            visit(key, value);
            rest = behind;
        }
        rest.is_empty()
    }
}
