//! A state that remembers nothing, for tests that look at the log alone.

use thalweg_engine::log::{CommittedFrame, RestoreError, StateMachine};

pub(crate) const FOLDER: &str = "/data/shard-0";

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
