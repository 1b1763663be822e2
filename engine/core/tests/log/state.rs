//! What tests that look at the log alone share: a state that remembers nothing, and a log of small segments.

use thalweg_engine::log::{CommittedFrame, DraftEntry, Log, LogOptions, RestoreError, StateMachine};
use thalweg_sim::SimRuntime;

pub(crate) const FOLDER: &str = "/data/shard-0";

/// Bytes of a segment of [`small_segments`].
pub(crate) const SMALL_SEGMENT_SIZE: u32 = 64 << 10;

/// A log that makes checkpoints only when it is asked to, and keeps nothing in memory that is on the disk.
pub(crate) fn small_segments() -> LogOptions {
    LogOptions {
        segment_size: SMALL_SEGMENT_SIZE,
        pool_target: 2,
        checkpoint_interval: u64::MAX,
        cache_bytes: 0,
        frame_size_target: 8 << 10,
        frame_size_max: 16 << 10,
        ..LogOptions::default()
    }
}

/// Appends `drafts` in one frame, waiting while the log is busy, and until they are committed.
pub(crate) async fn append_committed(log: &Log<SimRuntime>, drafts: &[DraftEntry<'_>]) {
    let sequence = loop {
        match log.append(drafts) {
            Ok(sequence) => break sequence,
            Err(_) => log.ready().await.unwrap(),
        }
    };
    log.wait_committed(sequence).await.unwrap();
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Slices that are left of the checkpoint being made; `None` before the first one.
    pub(crate) begun: Option<u32>,
}

impl StateMachine for State {
    fn apply(&mut self, _: &CommittedFrame<'_>) {}

    fn begin_checkpoint(&mut self) {
        self.begun = Some(20);
    }

    fn next_slice(&mut self, out: &mut Vec<u8>) -> bool {
        let left = self.begun.as_mut().expect("a slice is asked for after a beginning");
        if *left == 0 {
            return false;
        }
        *left -= 1;
        out.extend_from_slice(&left.to_le_bytes());
        true
    }

    fn restore_slice(&mut self, _: &[u8]) -> Result<(), RestoreError> {
        Ok(())
    }
}
