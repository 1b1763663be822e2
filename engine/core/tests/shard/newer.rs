//! Folders that a newer version of the program has written in: refused by name, and left as they are.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use super::common::{FOLDER, create, options, run};
use thalweg_archive::Envelope;
use thalweg_engine::folder::shard_folder;
use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::{CommittedFrame, DraftEntry, Log, OpenError, RestoreError, StateMachine};
use thalweg_engine::model::ShardId;
use thalweg_engine::shard::{self, Shard};
use thalweg_sim::{RunEnd, SimRuntime, StopAt, World, WorldConfig};

/// Stands for the state of a newer version: knows every entry.
#[derive(Default)]
struct Newer;

impl StateMachine for Newer {
    fn apply(&mut self, _: &CommittedFrame<'_>) {}

    fn begin_checkpoint(&mut self) {}

    fn next_slice(&mut self, _: &mut Vec<u8>) -> bool {
        false
    }

    fn restore_slice(&mut self, _: &[u8]) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// Appends one entry to the log of a shard as a newer version could; returns why the shard does not open then.
fn refusal(entry: Entry, payload: Vec<u8>) -> OpenError {
    let world = World::new(7, WorldConfig::calm());
    run(&world, 1, |client, _| async move {
        create(&client, "kept", 1).await;
    });
    let payload = Rc::new(payload);
    world.start(1, move |runtime| {
        let payload = Rc::clone(&payload);
        async move {
            let folder = shard_folder(Path::new(FOLDER), ShardId(0));
            let state = Rc::new(RefCell::new(Newer));
            let (log, _) = Log::open(runtime, &folder, options().log, state).await.expect("the log opens");
            let sequence = log.append(&[DraftEntry { entry, payload: &payload }]).unwrap();
            log.wait_committed(sequence).await.unwrap();
            log.close().await;
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    let found = Rc::new(RefCell::new(None));
    let sink = Rc::clone(&found);
    world.start(1, move |runtime: SimRuntime| {
        let sink = Rc::clone(&sink);
        async move {
            let folder = shard_folder(Path::new(FOLDER), ShardId(0));
            let opened = Shard::open(runtime, ShardId(0), 1, &folder, options()).await;
            let Some(shard::OpenError::Log(error)) = opened.err() else {
                panic!("the start is not refused by the log")
            };
            sink.replace(Some(error));
        }
    });
    assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
    found.take().expect("the process has ended")
}

fn source_of(error: OpenError) -> RestoreError {
    let OpenError::Restore { file, position, source } = error else { panic!("{error}") };
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with("segment-"), "{file:?}");
    assert!(position > 0, "behind the segment's header");
    source
}

#[test]
fn an_entry_of_an_unknown_kind_refuses_the_start() {
    let error = refusal(Entry { kind: 999, ..Entry::default() }, Vec::new());
    assert_eq!(source_of(error), RestoreError::UnknownEntry { kind: 999 });
}

#[test]
fn a_change_of_the_catalog_of_another_version_refuses_the_start() {
    let kind = EntryKind::CatalogChange.raw();
    let mut change = Envelope { kind: 32, version: 999, size: 40 }.bytes().to_vec();
    change.resize(64, 0);
    for payload in [change, b"nothing of ours".to_vec()] {
        let source = source_of(refusal(Entry { kind, ..Entry::default() }, payload));
        assert!(matches!(source, RestoreError::UnreadEntry { kind: found, .. } if found == kind), "{source}");
    }
}

#[test]
fn a_change_of_a_store_that_is_no_batch_refuses_the_start() {
    let kind = EntryKind::StoreDelta.raw();
    let source = source_of(refusal(Entry { kind, ..Entry::default() }, vec![1; 100]));
    assert!(matches!(source, RestoreError::UnreadEntry { kind: found, .. } if found == kind), "{source}");
}
