//! Memory for direct I/O.

use std::rc::Rc;

use glommio::io::{DmaBuffer, ReadResult};
use thalweg_engine::io::Buffer;
use thalweg_engine::limits::BLOCK_SIZE;

/// Aligned memory: allocated to be written, or filled by a read.
#[derive(Debug)]
pub struct AlignedBuffer(Memory);

#[derive(Debug)]
enum Memory {
    /// Shared only with a write in flight, which also holds the `AlignedBuffer`'s own count.
    Own(Rc<DmaBuffer>),
    /// As the device filled it; copied when it is changed or written.
    Read(ReadResult),
}

impl AlignedBuffer {
    /// Zeroed memory of `size` bytes. Must be called on an executor.
    pub(crate) fn zeroed(size: usize) -> Self {
        let mut memory = dirty(size);
        memory.as_bytes_mut().fill(0);
        Self(Memory::Own(Rc::new(memory)))
    }

    /// Memory of `size` bytes with arbitrary content. Must be called on an executor.
    pub(crate) fn dirty(size: usize) -> Self {
        Self(Memory::Own(Rc::new(dirty(size))))
    }

    pub(crate) fn from_read(result: ReadResult) -> Self {
        Self(Memory::Read(result))
    }

    pub(crate) fn copied(parts: &[&[u8]]) -> Self {
        Self(Memory::Own(Rc::new(copy(parts))))
    }

    /// The memory as a write takes it: shared if it is ours, a copy if a read filled it.
    pub(crate) fn for_writing(&self) -> Rc<DmaBuffer> {
        match &self.0 {
            Memory::Own(memory) => Rc::clone(memory),
            Memory::Read(result) => Rc::new(copy(&[result])),
        }
    }
}

/// Memory of `size` bytes with arbitrary content.
pub(crate) fn dirty(size: usize) -> DmaBuffer {
    // Glommio has no buffer of size zero.
    let mut memory = glommio::allocate_dma_buffer(size.max(BLOCK_SIZE));
    if size < BLOCK_SIZE {
        memory.trim_to_size(size);
    }
    memory
}

/// One buffer that holds `parts` one after the other.
pub(crate) fn copy(parts: &[&[u8]]) -> DmaBuffer {
    let mut memory = dirty(parts.iter().map(|part| part.len()).sum());
    let mut rest = memory.as_bytes_mut();
    for part in parts {
        let (head, tail) = rest.split_at_mut(part.len());
        head.copy_from_slice(part);
        rest = tail;
    }
    memory
}

impl Buffer for AlignedBuffer {
    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Memory::Own(memory) => memory.as_bytes(),
            Memory::Read(result) => result,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        if let Memory::Read(result) = &self.0 {
            self.0 = Memory::Own(Rc::new(copy(&[result])));
        }
        let Memory::Own(memory) = &mut self.0 else { unreachable!("just made our own") };
        if Rc::get_mut(memory).is_none() {
            // Glommio may keep a finished write's source for one more turn of its loop.
            *memory = Rc::new(copy(&[memory.as_bytes()]));
        }
        Rc::get_mut(memory).expect("just made unique").as_bytes_mut()
    }

    fn truncate(&mut self, size: usize) {
        assert!(size <= self.bytes().len(), "a buffer only shrinks");
        match &mut self.0 {
            Memory::Read(result) => {
                *result = ReadResult::slice(result, 0, size).unwrap_or_default();
            }
            Memory::Own(memory) => match Rc::get_mut(memory) {
                Some(memory) => memory.trim_to_size(size),
                None => *memory = Rc::new(copy(&[&memory.as_bytes()[..size]])),
            },
        }
    }
}
