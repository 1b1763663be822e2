//! Memory in huge pages, for what devices read from and write into.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;

use thalweg_engine::limits::BLOCK_SIZE;

/// Size and alignment of a huge page. Bytes.
const HUGE_PAGE_SIZE: usize = 2 << 20;

/// An allocator for a program's `#[global_allocator]`: the executors' memory for direct I/O comes in huge pages,
/// all other memory from the system's allocator.
///
/// From memory in pages of 4 KiB, a write of 1 MiB reaches the device as 256 pieces. Virtual disks take 254 of
/// them in one request, and their host handles each by itself; out of huge pages it is one request of one piece.
/// Engines work without this allocator, only their large writes take longer.
///
/// Memory counts as meant for direct I/O if it is aligned to at least 4 KiB and has at least 2 MiB: executors
/// take theirs in one block (see [`RuntimeOptions::registered_memory_bytes`](crate::RuntimeOptions)). Where the
/// kernel has no transparent huge pages, or none left, it is ordinary memory.
///
/// ```
/// #[global_allocator]
/// static MEMORY: thalweg_runtime::HugePages = thalweg_runtime::HugePages;
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HugePages;

// SAFETY: `alloc` hands out memory of the layout's size and alignment that nothing else owns, or null; every block
// goes back to where it came from, because `is_for_devices` depends on nothing but the layout, which the
// caller passes unchanged; nothing here unwinds.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_for_devices(layout) {
            return map(layout.size());
        }
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_for_devices(layout) {
            // Fresh from the kernel, hence zero.
            return map(layout.size());
        }
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_for_devices(layout) {
            // SAFETY: `map` made this mapping for this size, and the caller gives it up.
            unsafe { libc::munmap(block.cast(), mapped_size(layout.size())) };
            return;
        }
        // SAFETY: `block` came from `System` with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size that, rounded up to the alignment, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if !is_for_devices(layout) && !is_for_devices(new_layout) {
            // SAFETY: `block` came from `System` with this layout.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        // SAFETY: `new_size` is not zero by the caller's promise.
        let moved = unsafe { self.alloc(new_layout) };
        if !moved.is_null() {
            // SAFETY: both blocks have at least so many bytes and are distinct; `block` is given up after that.
            unsafe {
                block.copy_to_nonoverlapping(moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

/// Whether memory of this layout is meant for direct I/O.
fn is_for_devices(layout: Layout) -> bool {
    (BLOCK_SIZE..=HUGE_PAGE_SIZE).contains(&layout.align()) && layout.size() >= HUGE_PAGE_SIZE
}

/// Bytes that are mapped for a block of `size` bytes.
fn mapped_size(size: usize) -> usize {
    // A layout's size is at most `isize::MAX`: no overflow.
    size.next_multiple_of(HUGE_PAGE_SIZE)
}

/// New memory of `size` bytes, aligned to a huge page; null if there is none.
fn map(size: usize) -> *mut u8 {
    let size = mapped_size(size);
    let Some(room) = size.checked_add(HUGE_PAGE_SIZE) else { return null_mut() };
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping where the kernel chooses touches no memory that exists.
    let mapping = unsafe { libc::mmap(null_mut(), room, protection, flags, -1, 0) };
    if mapping == libc::MAP_FAILED {
        return null_mut();
    }
    let mapping = mapping.cast::<u8>();
    let before = mapping.align_offset(HUGE_PAGE_SIZE);
    let behind = HUGE_PAGE_SIZE - before;
    // SAFETY: `before + size + behind` is what was mapped; whole pages, of which nobody knows yet, are given back.
    // The advice concerns the rest; that it may be ignored is why its outcome is.
    unsafe {
        let block = mapping.add(before);
        if before > 0 {
            libc::munmap(mapping.cast(), before);
        }
        if behind > 0 {
            libc::munmap(block.add(size).cast(), behind);
        }
        libc::madvise(block.cast(), size, libc::MADV_HUGEPAGE);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn memory_for_devices_is_aligned_to_a_huge_page_zero_and_all_of_it_usable() {
        for size in [HUGE_PAGE_SIZE, HUGE_PAGE_SIZE + 1, 5 << 20] {
            for align in [BLOCK_SIZE, HUGE_PAGE_SIZE] {
                let layout = layout(size, align);
                // SAFETY: the size is not zero; the block is used within it and given back once.
                unsafe {
                    let block = HugePages.alloc_zeroed(layout);
                    assert_eq!(block.addr() % HUGE_PAGE_SIZE, 0);
                    let bytes = std::slice::from_raw_parts_mut(block, size);
                    assert!(bytes.iter().all(|byte| *byte == 0));
                    bytes.fill(0xA5);
                    HugePages.dealloc(block, layout);
                }
            }
        }
    }

    #[test]
    fn other_memory_is_the_systems() {
        assert!(!is_for_devices(layout(HUGE_PAGE_SIZE, 16)));
        assert!(!is_for_devices(layout(HUGE_PAGE_SIZE - 1, BLOCK_SIZE)));
        assert!(!is_for_devices(layout(2 * HUGE_PAGE_SIZE, 2 * HUGE_PAGE_SIZE)));
        assert!(is_for_devices(layout(HUGE_PAGE_SIZE, BLOCK_SIZE)));
    }

    #[test]
    fn memory_keeps_its_bytes_when_it_moves_between_the_two() {
        let sizes = [BLOCK_SIZE, HUGE_PAGE_SIZE + 7, 3 * HUGE_PAGE_SIZE, BLOCK_SIZE, 2 * BLOCK_SIZE];
        // SAFETY: sizes are not zero; the block is used within its size, moved with its layout, given back once.
        unsafe {
            let mut held = layout(sizes[0], BLOCK_SIZE);
            let mut block = HugePages.alloc(held);
            block.write_bytes(0x3C, held.size());
            for size in &sizes[1..] {
                block = HugePages.realloc(block, held, *size);
                assert!(!block.is_null());
                let kept = held.size().min(*size).min(sizes[0]);
                assert!(std::slice::from_raw_parts(block, kept).iter().all(|byte| *byte == 0x3C));
                held = layout(*size, BLOCK_SIZE);
            }
            HugePages.dealloc(block, held);
        }
    }

    #[test]
    fn more_than_there_is_is_refused() {
        // SAFETY: the size is not zero.
        assert!(unsafe { HugePages.alloc(layout(isize::MAX as usize / 2, BLOCK_SIZE)) }.is_null());
    }
}
