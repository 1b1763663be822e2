//! A full disk.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use thalweg_engine::io::Runtime;
use thalweg_engine::log::format::{Entry, EntryKind};
use thalweg_engine::log::{AppendError, DraftEntry, Log, LogOptions};
use thalweg_engine::model::{Offset, StreamId};
use thalweg_sim::{RunEnd, SimRuntime, StopAt, World, WorldConfig};

use super::state::State;
use super::workload::FOLDER;

const STREAM: StreamId = StreamId(1);

fn options() -> LogOptions {
    LogOptions {
        segment_size: 64 << 10,
        pool_target: 1,
        checkpoint_interval: u64::MAX,
        cache_bytes: 0,
        frame_size_target: 16 << 10,
        frame_size_max: 32 << 10,
        ..LogOptions::default()
    }
}

/// Appends one batch and waits for it; says why not.
async fn append(log: &Log<SimRuntime>, base: u64) -> Result<(), AppendError> {
    let entry = Entry { kind: EntryKind::Batch.raw(), subject: STREAM.0, base, count: 1, ..Entry::default() };
    let payload = vec![base as u8; 3000];
    let sequence = loop {
        match log.append(&[DraftEntry { entry, payload: &payload }]) {
            Err(AppendError::Busy) => log.ready().await.unwrap(),
            other => break other?,
        }
    };
    log.wait_committed(sequence).await.unwrap();
    Ok(())
}

async fn fill_trim_and_go_on(runtime: SimRuntime) {
    let state = Rc::new(RefCell::new(State::default()));
    let (log, _) = Log::open(runtime.clone(), Path::new(FOLDER), options(), state).await.unwrap();
    let mut next = 0;
    for round in 0..3 {
        loop {
            match append(&log, next).await {
                Ok(()) => next += 1,
                Err(AppendError::NoSpace) => break,
                Err(error) => panic!("{error}"),
            }
            assert!(next < 10_000, "the disk is never full");
        }
        // Reads go on, and what gives room back is taken.
        let start = log.bounds(STREAM).unwrap().start;
        let batches = log.read(STREAM, start, 1).await.unwrap();
        assert_eq!(&*batches[0].bytes, vec![start.0 as u8; 3000]);
        let trim =
            Entry { kind: EntryKind::LogStart.raw(), subject: STREAM.0, base: next - 1, ..Entry::default() };
        let sequence = log.append(&[DraftEntry { entry: trim, payload: &[] }]).unwrap();
        log.wait_committed(sequence).await.unwrap();
        assert_eq!(log.bounds(STREAM).unwrap().start, Offset(next - 1));
        let mut tries = 0;
        while let Err(error) = append(&log, next).await {
            assert_eq!(error, AppendError::NoSpace);
            tries += 1;
            assert!(tries < 100, "round {round}: trimmed segments are not used again: {:?}", log.status());
            runtime.sleep(std::time::Duration::from_millis(100)).await;
        }
        next += 1;
    }
    log.close().await;
}

#[test]
fn a_full_disk_refuses_appends_takes_trims_and_goes_on_when_there_is_room_again() {
    for seed in 0..20 {
        let config = WorldConfig { disk_capacity: 6 * (64 << 10) + (128 << 10), ..WorldConfig::calm() };
        let world = World::new(seed, config);
        world.start(1, fill_trim_and_go_on);
        assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited, "seed {seed}");
        assert!(world.coverage().of("segment-recycled") > 0);
        assert!(world.coverage().of("no-space") > 0);
    }
}
