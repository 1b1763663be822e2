//! Files on a real disk.

mod common;

use std::rc::Rc;

use common::{TestFolder, on_executor, options};
use thalweg_engine::io::{Buffer, DiskError, DiskOperation, File, FileKind, OpenMode, Runtime};
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_runtime::{AlignedBuffer, GlommioRuntime, RuntimeOptions};

const LOG: FileKind = FileKind::Log { write_through: false };

fn buffered() -> RuntimeOptions {
    RuntimeOptions { buffered: true, ..options() }
}

/// `size` bytes that differ from block to block.
fn patterned(runtime: &GlommioRuntime, size: usize, seed: u8) -> AlignedBuffer {
    let mut buffer = runtime.allocate(size);
    for (index, byte) in buffer.bytes_mut().iter_mut().enumerate() {
        *byte = (index / 7).wrapping_add(usize::from(seed)) as u8;
    }
    buffer
}

fn round_trip(options: &RuntimeOptions, kind: FileKind) {
    let folder = TestFolder::new();
    let path = folder.join("file");
    on_executor(options, move |runtime| {
        let path = path.clone();
        async move {
            let file = runtime.open(&path, kind, OpenMode::Create).await.unwrap();
            file.allocate(16 * BLOCK_SIZE as u64).await.unwrap();
            assert_eq!(file.len().await.unwrap(), 16 * BLOCK_SIZE as u64);
            let first = Rc::new(patterned(&runtime, 3 * BLOCK_SIZE, 1));
            let second = Rc::new(patterned(&runtime, BLOCK_SIZE, 9));
            file.write_at(Rc::clone(&first), 2 * BLOCK_SIZE as u64).await.unwrap();
            file.write_at(Rc::clone(&second), 5 * BLOCK_SIZE as u64).await.unwrap();
            file.flush().await.unwrap();
            drop(file);
            let file = runtime.open(&path, kind, OpenMode::Existing).await.unwrap();
            let read = file.read_at(2 * BLOCK_SIZE as u64, 4 * BLOCK_SIZE).await.unwrap();
            assert_eq!(&read.bytes()[..3 * BLOCK_SIZE], first.bytes());
            assert_eq!(&read.bytes()[3 * BLOCK_SIZE..], second.bytes());
            let untouched = file.read_at(0, 2 * BLOCK_SIZE).await.unwrap();
            assert!(untouched.bytes().iter().all(|&byte| byte == 0));
        }
    });
}

#[test]
fn direct_writes_read_back_what_was_written() {
    round_trip(&options(), LOG);
}

#[test]
fn write_through_files_read_back_what_was_written() {
    round_trip(&options(), FileKind::Log { write_through: true });
}

#[test]
fn meta_files_read_back_what_was_written() {
    round_trip(&options(), FileKind::Meta);
}

#[test]
fn buffered_files_read_back_what_was_written() {
    round_trip(&buffered(), LOG);
}

/// The flags of the descriptor that has `path` open, as the kernel lists them.
fn open_flags(path: &std::path::Path) -> i32 {
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let entry = entry.unwrap();
        if std::fs::read_link(entry.path()).is_ok_and(|target| target == path) {
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", entry.file_name().display()));
            let info = info.unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            return i32::from_str_radix(flags.trim(), 8).unwrap();
        }
    }
    panic!("{path:?} is not open");
}

#[test]
fn files_are_open_with_the_flags_of_their_kind() {
    let folder = TestFolder::new();
    for (options, kind, direct, through) in [
        (options(), LOG, true, false),
        (options(), FileKind::Log { write_through: true }, true, true),
        (options(), FileKind::Meta, true, false),
        (buffered(), LOG, false, false),
        (buffered(), FileKind::Log { write_through: true }, false, true),
    ] {
        let path = folder.join("file");
        let flags = on_executor(&options, move |runtime| {
            let path = path.clone();
            async move {
                let _file = runtime.open(&path, kind, OpenMode::Create).await.unwrap();
                open_flags(&path)
            }
        });
        assert_eq!(flags & libc::O_DIRECT != 0, direct, "direct, {kind:?}, flags {flags:o}");
        assert_eq!(flags & libc::O_DSYNC != 0, through, "through, {kind:?}, flags {flags:o}");
    }
}

#[test]
fn buffers_are_zeroed_aligned_and_shrink() {
    on_executor(&options(), |runtime| async move {
        for size in [1, BLOCK_SIZE, 5 * BLOCK_SIZE, 300 * BLOCK_SIZE] {
            // Twice, so that the second gets used memory.
            for _ in 0..2 {
                let mut buffer = runtime.allocate(size);
                assert_eq!(buffer.bytes().len(), size);
                assert_eq!(buffer.bytes().as_ptr().align_offset(BLOCK_SIZE), 0);
                assert!(buffer.bytes().iter().all(|&byte| byte == 0));
                buffer.bytes_mut().fill(0xAB);
                buffer.truncate(size / 2);
                assert_eq!(buffer.bytes(), vec![0xAB; size / 2]);
            }
        }
    });
}

#[test]
fn a_read_buffer_can_be_changed_and_written() {
    let folder = TestFolder::new();
    let path = folder.join("file");
    on_executor(&options(), move |runtime| {
        let path = path.clone();
        async move {
            let file = runtime.open(&path, LOG, OpenMode::Create).await.unwrap();
            file.write_at(Rc::new(patterned(&runtime, 2 * BLOCK_SIZE, 3)), 0).await.unwrap();
            let mut read = file.read_at(0, 2 * BLOCK_SIZE).await.unwrap();
            read.truncate(BLOCK_SIZE);
            file.write_at(Rc::new(read), 2 * BLOCK_SIZE as u64).await.unwrap();
            let mut read = file.read_at(2 * BLOCK_SIZE as u64, BLOCK_SIZE).await.unwrap();
            assert_eq!(read.bytes(), patterned(&runtime, BLOCK_SIZE, 3).bytes());
            read.bytes_mut()[17] = 0xFF;
            assert_eq!(read.bytes()[17], 0xFF);
            file.write_at(Rc::new(read), 0).await.unwrap();
            assert_eq!(file.read_at(0, BLOCK_SIZE).await.unwrap().bytes()[17], 0xFF);
        }
    });
}

#[test]
fn reads_are_short_only_at_the_end_of_the_file() {
    let folder = TestFolder::new();
    let path = folder.join("file");
    std::fs::write(&path, vec![7; BLOCK_SIZE + 100]).unwrap();
    for options in [options(), buffered()] {
        let path = path.clone();
        on_executor(&options, move |runtime| {
            let path = path.clone();
            async move {
                let file = runtime.open(&path, LOG, OpenMode::Existing).await.unwrap();
                let read = file.read_at(0, 4 * BLOCK_SIZE).await.unwrap();
                assert_eq!(read.bytes(), vec![7; BLOCK_SIZE + 100]);
                let beyond = file.read_at(4 * BLOCK_SIZE as u64, BLOCK_SIZE).await.unwrap();
                assert!(beyond.bytes().is_empty());
            }
        });
    }
}

#[test]
fn allocating_sets_the_size_both_ways() {
    let folder = TestFolder::new();
    let path = folder.join("file");
    on_executor(&options(), move |runtime| {
        let path = path.clone();
        async move {
            let file = runtime.open(&path, LOG, OpenMode::Create).await.unwrap();
            for blocks in [64_u64, 8, 16] {
                file.allocate(blocks * BLOCK_SIZE as u64).await.unwrap();
                assert_eq!(file.len().await.unwrap(), blocks * BLOCK_SIZE as u64);
            }
        }
    });
}

#[test]
fn a_missing_file_is_not_found() {
    let folder = TestFolder::new();
    let path = folder.join("missing");
    for options in [options(), buffered()] {
        let path = path.clone();
        on_executor(&options, move |runtime| {
            let path = path.clone();
            async move {
                let opened = runtime.open(&path, LOG, OpenMode::Existing).await;
                assert_eq!(opened.err(), Some(DiskError::NotFound { path: path.clone() }));
                assert_eq!(runtime.remove(&path).await, Err(DiskError::NotFound { path: path.clone() }));
                assert_eq!(runtime.sync_folder(&path).await, Err(DiskError::NotFound { path }));
            }
        });
    }
}

#[test]
fn a_file_system_without_direct_io_is_named() {
    on_executor(&options(), |runtime| async move {
        let path = std::path::PathBuf::from("/proc/self/comm");
        let opened = runtime.open(&path, LOG, OpenMode::Existing).await;
        assert_eq!(opened.err(), Some(DiskError::NoDirectIo { path }));
    });
}

#[test]
fn a_full_device_is_no_space() {
    on_executor(&buffered(), |runtime| async move {
        let path = std::path::PathBuf::from("/dev/full");
        let file = runtime.open(&path, LOG, OpenMode::Existing).await.unwrap();
        let written = file.write_at(Rc::new(runtime.allocate(BLOCK_SIZE)), 0).await;
        assert_eq!(written, Err(DiskError::NoSpace { path }));
    });
}

#[test]
fn other_failures_name_operation_and_path() {
    let folder = TestFolder::new();
    let path = folder.path().to_path_buf();
    on_executor(&options(), move |runtime| {
        let path = path.clone();
        async move {
            let removed = runtime.remove(&path).await;
            let Err(DiskError::Other { operation, path: named, message }) = removed else {
                panic!("a folder is not removed as a file: {removed:?}")
            };
            assert_eq!(operation, DiskOperation::Remove);
            assert_eq!(named, path);
            assert!(!message.is_empty());
        }
    });
}

#[test]
fn folders_are_made_listed_and_synced() {
    let folder = TestFolder::new();
    let path = folder.join("a/b/c");
    on_executor(&options(), move |runtime| {
        let path = path.clone();
        async move {
            assert_eq!(runtime.list_folder(&path).await.unwrap(), Vec::<String>::new());
            runtime.create_folder(&path).await.unwrap();
            runtime.create_folder(&path).await.unwrap();
            for name in ["zulu", "alpha", "mike"] {
                runtime.open(&path.join(name), FileKind::Meta, OpenMode::Create).await.unwrap();
            }
            runtime.create_folder(&path.join("folder")).await.unwrap();
            runtime.sync_folder(&path).await.unwrap();
            assert_eq!(runtime.list_folder(&path).await.unwrap(), ["alpha", "mike", "zulu"]);
            runtime.remove(&path.join("mike")).await.unwrap();
            assert_eq!(runtime.list_folder(&path).await.unwrap(), ["alpha", "zulu"]);
        }
    });
}

#[test]
fn a_dropped_write_lands_before_the_executor_ends() {
    let folder = TestFolder::new();
    let path = folder.join("file");
    let written = path.clone();
    on_executor(&options(), move |runtime| {
        let path = path.clone();
        async move {
            let file = runtime.open(&path, LOG, OpenMode::Create).await.unwrap();
            for index in 0..32_u64 {
                let buffer = Rc::new(patterned(&runtime, 16 * BLOCK_SIZE, index as u8));
                let mut write = Box::pin(file.write_at(buffer, index * 16 * BLOCK_SIZE as u64));
                let polled = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(write.as_mut().poll(context).is_pending())
                });
                assert!(polled.await, "the write is in flight");
                drop(write);
            }
        }
    });
    let bytes = std::fs::read(&written).unwrap();
    assert_eq!(bytes.len(), 32 * 16 * BLOCK_SIZE);
    for (index, piece) in bytes.chunks_exact(16 * BLOCK_SIZE).enumerate() {
        assert!(piece.iter().enumerate().all(|(at, &byte)| byte == (at / 7 + index) as u8));
    }
}

#[test]
fn closed_files_leave_no_descriptor_behind() {
    let folder = TestFolder::new();
    let path = folder.join("file");
    on_executor(&options(), move |runtime| {
        let path = path.clone();
        async move {
            let is_open = |path: &std::path::Path| {
                std::fs::read_dir("/proc/self/fd")
                    .unwrap()
                    .any(|entry| std::fs::read_link(entry.unwrap().path()).is_ok_and(|target| target == path))
            };
            let file = runtime.open(&path, LOG, OpenMode::Create).await.unwrap();
            let clone = file.clone();
            drop(file);
            assert!(is_open(&path));
            drop(clone);
            assert!(!is_open(&path));
        }
    });
}
