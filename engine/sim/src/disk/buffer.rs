//! Aligned memory, without `unsafe`: the allocation is a block larger, and its beginning left out.

use std::cell::Cell;
use std::rc::Rc;

use thalweg_engine::io::Buffer;
use thalweg_engine::limits::BLOCK_SIZE;

/// Memory for direct I/O, aligned to [`BLOCK_SIZE`].
#[derive(Debug)]
pub struct SimBuffer {
    memory: Vec<u8>,
    start: usize,
    size: usize,
    _charge: Option<Charge>,
}

/// Bytes that are counted as long as this exists.
#[derive(Debug)]
struct Charge {
    account: Rc<Cell<usize>>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.set(self.account.get() - self.bytes);
    }
}

impl SimBuffer {
    /// Zeroed memory of `size` bytes.
    #[must_use]
    pub fn zeroed(size: usize) -> Self {
        Self::filled(size, 0)
    }

    /// Memory whose every byte is `content`; `account` is larger by `size` as long as the buffer exists.
    pub(crate) fn charged(size: usize, content: u8, account: &Rc<Cell<usize>>) -> Self {
        account.set(account.get() + size);
        let charge = Charge { account: Rc::clone(account), bytes: size };
        Self { _charge: Some(charge), ..Self::filled(size, content) }
    }

    fn filled(size: usize, content: u8) -> Self {
        // Never grows, so never moves: the offset stays right.
        let memory = vec![content; size + BLOCK_SIZE - 1];
        let start = memory.as_ptr().addr().next_multiple_of(BLOCK_SIZE) - memory.as_ptr().addr();
        Self { memory, start, size, _charge: None }
    }
}

impl Buffer for SimBuffer {
    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.size]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.size]
    }

    fn truncate(&mut self, size: usize) {
        assert!(size <= self.size, "a buffer of {} bytes cannot be cut to {size}", self.size);
        self.size = size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_zeroed_and_keeps_its_place_when_cut() {
        let mut buffer = SimBuffer::zeroed(3 * BLOCK_SIZE);
        let address = buffer.bytes().as_ptr().addr();
        assert!(address.is_multiple_of(BLOCK_SIZE));
        assert!(buffer.bytes().iter().all(|&byte| byte == 0));
        buffer.truncate(BLOCK_SIZE);
        assert_eq!((buffer.bytes().as_ptr().addr(), buffer.bytes_mut().len()), (address, BLOCK_SIZE));
    }
}
