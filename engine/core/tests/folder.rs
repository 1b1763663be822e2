//! The data folder's manifest, on a simulated machine.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thalweg_engine::folder::{Folder, FolderError, MANIFEST_NAME, shard_folder};
use thalweg_engine::io::{Buffer, File, FileKind, OpenMode, Runtime};
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::model::ShardId;
use thalweg_sim::{Crash, RunEnd, SimRuntime, StopAt, World, WorldConfig};

const PATH: &str = "/data/one";

/// Runs `work` in a process of its own, to its end.
fn run<T: 'static>(world: &World, work: impl AsyncFn(SimRuntime) -> T + Clone + 'static) -> T {
    let result = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&result);
    world.start(1, move |runtime| {
        let (slot, work) = (Rc::clone(&slot), work.clone());
        async move {
            let value = work(runtime).await;
            slot.replace(Some(value));
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    result.take().expect("the work has ended")
}

fn manifest() -> PathBuf {
    Path::new(PATH).join(MANIFEST_NAME)
}

async fn overwrite(runtime: &SimRuntime, path: &Path, change: impl Fn(&mut [u8])) {
    let file = runtime.open(path, FileKind::Meta, OpenMode::Create).await.unwrap();
    let mut buffer = match file.len().await.unwrap() {
        0 => runtime.allocate(BLOCK_SIZE),
        _ => file.read_at(0, 2 * BLOCK_SIZE).await.unwrap(),
    };
    change(buffer.bytes_mut());
    file.write_at(Rc::new(buffer), 0).await.unwrap();
    file.flush().await.unwrap();
}

async fn make_shard_folder(runtime: &SimRuntime) {
    let folder = shard_folder(Path::new(PATH), ShardId(0));
    runtime.create_folder(&folder).await.unwrap();
    overwrite(runtime, &folder.join("superblock"), |_| {}).await;
}

#[test]
fn a_folder_is_made_once_and_found_again_after_a_power_loss() {
    let world = World::new(1, WorldConfig::calm());
    let made = run(&world, async |runtime| {
        let missing = Folder::open(&runtime, Path::new(PATH)).await;
        assert!(matches!(missing, Err(FolderError::NotADataFolder { .. })), "{missing:?}");
        Folder::open_or_create(&runtime, Path::new(PATH), 3).await.unwrap()
    });
    world.crash(Crash::Power);
    let found = run(&world, async |runtime| {
        let refused = Folder::open_or_create(&runtime, Path::new(PATH), 2).await;
        assert!(matches!(refused, Err(FolderError::ShardCount { found: 3, asked: 2, .. })), "{refused:?}");
        let again = Folder::open_or_create(&runtime, Path::new(PATH), 3).await.unwrap();
        assert_eq!(Folder::open(&runtime, Path::new(PATH)).await.unwrap(), again);
        again
    });
    assert_eq!(found, made);
    assert_eq!(found.shard(ShardId(2)), Path::new("/data/one/shard-002"));
}

#[test]
fn a_power_loss_at_any_moment_leaves_the_same_folder_or_none() {
    let mut torn = 0;
    for seed in 0..30 {
        for poll in 1..60 {
            let world = World::new(seed, WorldConfig::calm());
            world.start(1, |runtime| async move {
                Folder::open_or_create(&runtime, Path::new(PATH), 2).await.unwrap();
            });
            let end = world.run_until(StopAt::Poll(poll));
            world.crash(Crash::Power);
            let found = run(&world, async |runtime| {
                Folder::open_or_create(&runtime, Path::new(PATH), 2).await.map(|folder| folder.shards)
            });
            assert_eq!(found, Ok(2), "seed {seed}, poll {poll}");
            torn += world.coverage().of("manifest-torn");
            if end == RunEnd::Exited {
                break;
            }
        }
    }
    assert!(torn > 0, "some power loss tore the manifest");
}

#[test]
fn a_power_loss_at_any_moment_leaves_a_folder_complete_or_as_it_was() {
    let (mut before, mut after) = (0, 0);
    for seed in 0..30 {
        let world = World::new(seed, WorldConfig::calm());
        let mut made =
            run(&world, async |runtime| Folder::open_or_create(&runtime, Path::new(PATH), 2).await.unwrap());
        let folder = made.clone();
        world.start(1, move |runtime| {
            let mut folder = folder.clone();
            async move { folder.complete(&runtime).await.unwrap() }
        });
        world.run_until(StopAt::Poll(1 + seed % 15));
        world.crash(Crash::Power);
        let found = run(&world, async |runtime| Folder::open(&runtime, Path::new(PATH)).await.unwrap());
        if found == made {
            before += 1;
        } else {
            (made.complete, made.second_block) = (true, true);
            assert_eq!(found, made);
            after += 1;
        }
    }
    assert!(before > 0 && after > 0, "{before} as they were, {after} complete");
}

#[test]
fn either_block_of_a_complete_folder_is_enough() {
    let world = World::new(4, WorldConfig::calm());
    let made = run(&world, async |runtime| {
        let mut folder = Folder::open_or_create(&runtime, Path::new(PATH), 2).await.unwrap();
        make_shard_folder(&runtime).await;
        folder.complete(&runtime).await.unwrap();
        folder
    });
    for position in (0..32).chain(4096..4128) {
        let found = run(&world, async move |runtime| {
            overwrite(&runtime, &manifest(), |bytes| bytes[position] ^= 0x10).await;
            let found = Folder::open(&runtime, Path::new(PATH)).await;
            overwrite(&runtime, &manifest(), |bytes| bytes[position] ^= 0x10).await;
            found
        });
        let expected = Folder { second_block: position < BLOCK_SIZE, ..made.clone() };
        assert_eq!(found, Ok(expected), "position {position}");
    }
}

#[test]
fn a_folder_found_once_is_found_again_whatever_its_maker_left_undone() {
    for poll in 1..60 {
        let world = World::new(poll, WorldConfig::calm());
        world.start(1, |runtime| async move {
            Folder::open_or_create(&runtime, Path::new(PATH), 2).await.unwrap();
        });
        let end = world.run_until(StopAt::Poll(poll));
        world.crash(Crash::Process);
        let found =
            run(&world, async |runtime| Folder::open_or_create(&runtime, Path::new(PATH), 2).await.unwrap());
        world.crash(Crash::Power);
        let again = run(&world, async |runtime| Folder::open(&runtime, Path::new(PATH)).await);
        assert_eq!(again, Ok(found), "poll {poll}");
        if end == RunEnd::Exited {
            break;
        }
    }
}

#[test]
fn a_folder_with_other_things_in_it_is_refused() {
    let world = World::new(2, WorldConfig::calm());
    let refused = run(&world, async |runtime| {
        runtime.create_folder(Path::new(PATH)).await.unwrap();
        overwrite(&runtime, &Path::new(PATH).join("thesis.tex"), |_| {}).await;
        Folder::open_or_create(&runtime, Path::new(PATH), 1).await
    });
    assert!(matches!(refused, Err(FolderError::NotEmpty { ref name, .. }) if name == "thesis.tex"));
}

#[test]
fn limits_of_shards_are_kept() {
    let world = World::new(2, WorldConfig::calm());
    for asked in [0, 257] {
        let refused =
            run(&world, async move |runtime| Folder::open_or_create(&runtime, Path::new(PATH), asked).await);
        assert_eq!(refused, Err(FolderError::ShardLimit { asked, limit: 256 }));
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_manifest_is_damage_once_there_are_shards() {
    let world = World::new(3, WorldConfig::calm());
    run(&world, async |runtime| {
        Folder::open_or_create(&runtime, Path::new(PATH), 2).await.unwrap();
        make_shard_folder(&runtime).await;
    });
    for position in 0..32 {
        let (first, second) = run(&world, async move |runtime| {
            overwrite(&runtime, &manifest(), |bytes| bytes[position] ^= 0x10).await;
            let first = Folder::open(&runtime, Path::new(PATH)).await;
            let second = Folder::open_or_create(&runtime, Path::new(PATH), 2).await;
            overwrite(&runtime, &manifest(), |bytes| bytes[position] ^= 0x10).await;
            (first, second)
        });
        assert!(matches!(first, Err(FolderError::Damaged { .. })), "byte {position}: {first:?}");
        assert_eq!(first, second);
    }
}

#[test]
fn a_manifest_of_a_newer_version_is_refused_by_name() {
    let world = World::new(4, WorldConfig::calm());
    let refused = run(&world, async |runtime| {
        Folder::open_or_create(&runtime, Path::new(PATH), 2).await.unwrap();
        overwrite(&runtime, &manifest(), |bytes| {
            bytes[8] = 2;
            let checksum = crc32fast::hash(&bytes[..28]);
            bytes[28..32].copy_from_slice(&checksum.to_le_bytes());
        })
        .await;
        Folder::open(&runtime, Path::new(PATH)).await
    });
    assert_eq!(refused, Err(FolderError::NewerVersion { file: manifest(), found: 2, known: 1 }));
}
